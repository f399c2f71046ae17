//! Which pages of other origins may call: CORS, by the settings below `http.cors.`.

use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderName, Method, header},
};
use tower::util::MapRequestLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{
    Result,
    config::Settings,
    http::{context::REQUEST_ID, origin::Origins},
    server::texts,
};

/// How long a browser may keep the answer to its preflight, where nobody says otherwise.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Who may call from a page of another origin, and with what.
#[derive(Debug, Clone)]
pub(in crate::http) struct CorsSettings {
    origins: Origins,
    methods: Vec<Method>,
    /// `None`: those that the browser asks for.
    headers: Option<Vec<HeaderName>>,
    credentials: bool,
    max_age: Duration,
}

impl CorsSettings {
    /// `None` where no origin is named: then no answer has a header of CORS.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>> {
        let origins = Origins::read(settings, "http.cors.origins")?;
        let methods = texts(settings, "http.cors.methods")?;
        let headers = texts(settings, "http.cors.headers")?;
        let credentials = settings.get("http.cors.credentials")?.unwrap_or(false);
        let max_age = settings.duration("http.cors.max_age", MAX_AGE)?;
        if origins.is_empty() {
            return Ok(None);
        }
        if credentials && matches!(origins, Origins::All) {
            let text =
                "browsers send no credentials to who allows every origin: name the origins in `http.cors.origins`";
            return Err(settings.refuse("http.cors.credentials", text));
        }
        let methods = match methods {
            None => {
                vec![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE]
            }
            Some(names) => names.iter().map(|name| method(settings, name)).collect::<Result<_>>()?,
        };
        let headers = match headers {
            None => None,
            Some(names) => Some(names.iter().map(|name| header_name(settings, name)).collect::<Result<_>>()?),
        };
        Ok(Some(Self { origins, methods, headers, credentials, max_age }))
    }

    /// What goes around a router. An `OPTIONS` that is no preflight passes through it as any other request: the router may have a route
    /// for it.
    pub(super) fn layer(&self) -> (Map, CorsLayer, Map) {
        (MapRequestLayer::new(disguise), self.cors(), MapRequestLayer::new(reveal))
    }

    fn cors(&self) -> CorsLayer {
        let origins = match self.origins.clone() {
            Origins::All => AllowOrigin::any(),
            named => AllowOrigin::predicate(move |origin, _| named.has(origin)),
        };
        let headers = match &self.headers {
            None => AllowHeaders::mirror_request(),
            Some(headers) => AllowHeaders::list(headers.iter().cloned()),
        };
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(self.methods.clone())
            .allow_headers(headers)
            .allow_credentials(self.credentials)
            .expose_headers([REQUEST_ID, header::LOCATION, header::RETRY_AFTER])
            .max_age(self.max_age)
    }
}

type Map = MapRequestLayer<fn(Request) -> Request>;

/// The method of a request in disguise.
#[derive(Clone)]
struct NoPreflight;

/// tower-http takes every `OPTIONS` for a preflight, which it is only with the header that asks for a method (Fetch, 3.2.2).
fn disguise(mut request: Request) -> Request {
    if request.method() == Method::OPTIONS && !request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        *request.method_mut() = Method::GET;
        request.extensions_mut().insert(NoPreflight);
    }
    request
}

fn reveal(mut request: Request) -> Request {
    if request.extensions_mut().remove::<NoPreflight>().is_some() {
        *request.method_mut() = Method::OPTIONS;
    }
    request
}

fn method(settings: &Settings, text: &str) -> Result<Method> {
    let refuse = |_| settings.refuse("http.cors.methods", format!("`{text}` is no method: write `GET`, `POST` …"));
    Method::from_bytes(text.to_ascii_uppercase().as_bytes()).map_err(refuse)
}

fn header_name(settings: &Settings, text: &str) -> Result<HeaderName> {
    let refuse = |_| settings.refuse("http.cors.headers", format!("`{text}` is no header: write `content-type` …"));
    HeaderName::from_bytes(text.as_bytes()).map_err(refuse)
}
