//! How a caller that is not known is asked to show who it is (RFC 9110, 11.6.1).

use axum::{
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::Response,
};

use crate::{
    protocol::{Fault, Value},
    service::SecurityScheme,
};

/// What a 401 says where nobody knows better: a bearer token is what a worker's context takes from a request by itself.
pub(super) const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// What is said of a caller that is refused (RFC 6750, 3). `None`: the fault is about something else.
pub(super) fn refusal(fault: &Fault) -> Option<HeaderValue> {
    let text = |name: &str| fault.data.as_ref().and_then(|data| data.get(name)).and_then(Value::as_str);
    if !fault.is_denied(Fault::UNAUTHENTICATED) && !fault.is_denied(Fault::FORBIDDEN) {
        return None;
    }
    let mut challenge = format!("Bearer error=\"{}\"", text("error")?);
    if let Some(scope) = text("scope") {
        challenge.push_str(&format!(", scope=\"{scope}\""));
    }
    HeaderValue::from_str(&challenge).ok()
}

/// Has a 401 ask for what its route takes, each scheme once.
pub(super) fn ask(response: &mut Response, security: &[Option<SecurityScheme>]) {
    if response.status() != StatusCode::UNAUTHORIZED {
        return;
    }
    // What is wrong with a token that came is said already.
    let bearer =
        response.headers().get(WWW_AUTHENTICATE).filter(|said| said.as_bytes().starts_with(b"Bearer")).cloned();
    let bearer = bearer.unwrap_or(BEARER);
    let mut asked: Vec<HeaderValue> = Vec::new();
    for challenge in security.iter().flatten().filter_map(|scheme| challenge(scheme, &bearer)) {
        if !asked.contains(&challenge) {
            asked.push(challenge);
        }
    }
    if !asked.is_empty() {
        let headers = response.headers_mut();
        headers.remove(WWW_AUTHENTICATE);
        headers.extend(asked.into_iter().map(|challenge| (WWW_AUTHENTICATE, challenge)));
    }
}

/// `None`: its header is none.
fn challenge(scheme: &SecurityScheme, bearer: &HeaderValue) -> Option<HeaderValue> {
    match scheme {
        SecurityScheme::Bearer { .. } => Some(bearer.clone()),
        // No scheme is registered for it, and a 401 has to name one.
        SecurityScheme::ApiKey { header } => {
            let header: axum::http::HeaderName = header.parse().ok()?;
            HeaderValue::from_str(&format!("ApiKey header=\"{header}\"")).ok()
        }
    }
}
