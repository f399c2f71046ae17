//! How a caller that is not known is asked to show who it is (RFC 9110, 11.6.1).

use axum::{
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::Response,
};

use crate::service::SecurityScheme;

/// What a 401 says where nobody knows better: a bearer token is what a worker's context takes from a request by itself.
pub(super) const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// Has a 401 ask for what its route takes, each scheme once.
pub(super) fn ask(response: &mut Response, security: &[Option<SecurityScheme>]) {
    if response.status() != StatusCode::UNAUTHORIZED {
        return;
    }
    let mut asked: Vec<HeaderValue> = Vec::new();
    for challenge in security.iter().flatten().filter_map(challenge) {
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
fn challenge(scheme: &SecurityScheme) -> Option<HeaderValue> {
    match scheme {
        SecurityScheme::Bearer { .. } => Some(BEARER),
        // No scheme is registered for it, and a 401 has to name one.
        SecurityScheme::ApiKey { header } => {
            let header: axum::http::HeaderName = header.parse().ok()?;
            HeaderValue::from_str(&format!("ApiKey header=\"{header}\"")).ok()
        }
    }
}
