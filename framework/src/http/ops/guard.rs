//! Who is let in to what is not for everybody.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::Token;
use crate::{
    http::{page, problem},
    protocol::Fault,
};

/// Lets those in who know the token, and no page of anybody else's, which might make the browser of one who does ask for it.
pub(super) async fn guard(State(token): State<Token>, request: Request, next: Next) -> Response {
    if let Some(reason) = page::foreign(&request) {
        let fault = problem::plain(StatusCode::FORBIDDEN, format!("the request is not taken: {reason}"));
        return refused(&Fault { code: Some("OTHER_ORIGIN".into()), ..fault });
    }
    match token.refusal(request.headers()) {
        Some(refusal) => refused(&refusal),
        None => next.run(request).await,
    }
}

/// A problem that nobody keeps.
pub(super) fn refused(fault: &Fault) -> Response {
    let mut response = problem::response(fault, "");
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
