//! Which pages of other origins may call: CORS, by the settings below `http.cors.`.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::settings::texts;
use crate::{Result, config::Settings, http::context::REQUEST_ID};

/// How long a browser may keep the answer to its preflight, where nobody says otherwise.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Who may call from a page of another origin, and with what.
#[derive(Debug, Clone)]
pub(in crate::http) struct CorsSettings {
    /// `None`: all of them.
    origins: Option<Vec<HeaderValue>>,
    methods: Vec<Method>,
    /// `None`: those that the browser asks for.
    headers: Option<Vec<HeaderName>>,
    credentials: bool,
    max_age: Duration,
}

impl CorsSettings {
    /// `None` where no origin is named: then no answer has a header of CORS.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>> {
        let named = texts(settings, "http.cors.origins")?.unwrap_or_default();
        let methods = texts(settings, "http.cors.methods")?;
        let headers = texts(settings, "http.cors.headers")?;
        let credentials = settings.get("http.cors.credentials")?.unwrap_or(false);
        let max_age = settings.duration("http.cors.max_age", MAX_AGE)?;
        if named.is_empty() {
            return Ok(None);
        }
        let all = named.iter().any(|origin| origin == "*");
        if all && credentials {
            let text =
                "browsers send no credentials to who allows every origin: name the origins in `http.cors.origins`";
            return Err(settings.refuse("http.cors.credentials", text));
        }
        let origins = match all {
            true => None,
            false => Some(named.iter().map(|text| origin(settings, text)).collect::<Result<_>>()?),
        };
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

    pub(super) fn layer(&self) -> CorsLayer {
        let origins = match &self.origins {
            None => AllowOrigin::any(),
            Some(origins) => AllowOrigin::list(origins.iter().cloned()),
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

/// As browsers write it: a slip in it would allow nobody, and say nothing.
fn origin(settings: &Settings, text: &str) -> Result<HeaderValue> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let plain = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']);
    match HeaderValue::from_str(&text.to_ascii_lowercase()) {
        Ok(value) if host.is_some_and(plain) => Ok(value),
        _ => {
            let text = format!("`{text}` is no origin: write `https://shop.example`, without a path, or `*` for all");
            Err(settings.refuse("http.cors.origins", text))
        }
    }
}

fn method(settings: &Settings, text: &str) -> Result<Method> {
    let refuse = |_| settings.refuse("http.cors.methods", format!("`{text}` is no method: write `GET`, `POST` …"));
    Method::from_bytes(text.to_ascii_uppercase().as_bytes()).map_err(refuse)
}

fn header_name(settings: &Settings, text: &str) -> Result<HeaderName> {
    let refuse = |_| settings.refuse("http.cors.headers", format!("`{text}` is no header: write `content-type` …"));
    HeaderName::from_bytes(text.as_bytes()).map_err(refuse)
}
