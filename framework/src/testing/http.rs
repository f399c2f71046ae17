//! HTTP requests to services under test, with no socket.

use std::fmt;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Error, ErrorKind, Result,
    http::{Routers, axum},
};

/// Sends HTTP requests to services under test, with no socket: through the same router and layers as a real one.
///
/// ```
/// # use kinoko::{prelude::*, testing::TestApp};
/// # #[derive(Dependencies)] struct Adder;
/// # #[service(name = "adder")] impl Adder { #[http(GET, "/sum")] fn sum(&self, a: u32, b: u32) -> u32 { a + b } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// # let app = TestApp::new().service::<Adder>().start().await?;
/// let answer = app.http().get("/sum?a=1&b=2").send().await?;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(answer.json::<u32>()?, 3);
/// # app.stop().await }
/// ```
#[derive(Debug, Clone)]
pub struct HttpClient {
    routers: Routers,
}

macro_rules! verbs {
    ($($name:ident $verb:ident)*) => {$(
        #[doc = concat!("A ", stringify!($verb), " request to a path, which may have a query.")]
        pub fn $name(&self, path: &str) -> HttpCall {
            self.request(Method::$verb, path)
        }
    )*};
}

impl HttpClient {
    pub(super) fn new(routers: Routers) -> Self {
        Self { routers }
    }

    verbs! { get GET post POST put PUT patch PATCH delete DELETE head HEAD options OPTIONS }

    /// A request of any method to a path, which may have a query.
    pub fn request(&self, method: Method, path: &str) -> HttpCall {
        let uri = path.parse::<Uri>().map_err(|error| usage(format!("`{path}` is no path: {error}")));
        HttpCall { routers: self.routers.clone(), method, uri, headers: HeaderMap::new(), body: Ok(Body::empty()) }
    }
}

/// A request that is not sent yet.
#[must_use = "a request does nothing until it is sent"]
pub struct HttpCall {
    routers: Routers,
    method: Method,
    uri: Result<Uri>,
    headers: HeaderMap,
    body: Result<Body>,
}

impl HttpCall {
    /// Adds a header. What is no header shows when it is sent.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => drop(self.headers.append(name, value)),
            _ => self.body = Err(usage(format!("`{name}: {value}` is no header"))),
        }
        self
    }

    /// Brings this token: `Authorization: Bearer …`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends this as JSON.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.body("application/json", body),
            Err(error) => Self { body: Err(error.into()), ..self },
        }
    }

    /// Sends these fields as a form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sends this body. Its length is declared, as a client that knows it does.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        self.body = Ok(Body::from(body));
        self.header("content-type", content_type)
    }

    /// Sends it, and reads the whole answer.
    ///
    /// # Errors
    ///
    /// For what is no path or no header, and an answer whose body breaks off. An answer of failure is none.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it is a client that went away: the worker is cancelled.
    pub async fn send(self) -> Result<HttpAnswer> {
        let mut request = Request::new(self.body?);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri?;
        *request.headers_mut() = self.headers;
        let response = self.routers.answer(request, None).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await?;
        Ok(HttpAnswer { status: parts.status, headers: parts.headers, body })
    }
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCall").field("method", &self.method).field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// A whole answer.
#[derive(Clone)]
pub struct HttpAnswer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl HttpAnswer {
    /// Its status: `200`.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// A header, the first of its name; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, from JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`] with the body, where it is another type or no JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Error::new(ErrorKind::Codec, format!("{error} in the answer {}", self.text())))
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.text())
    }
}

fn usage(text: String) -> Error {
    Error::new(ErrorKind::Usage, text)
}
