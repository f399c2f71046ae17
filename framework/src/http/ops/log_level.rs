//! What is logged, looked at and changed while the program runs.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use serde_json::json;

use super::{Token, health::json_response};
use crate::{http::problem, log};

pub(super) const PATH: &str = "/log";

/// `GET /log`, and with the token `PUT /log`, whose body is what the setting `log` would be.
pub(super) fn router(token: &Token) -> Router {
    Router::new().route(PATH, get(show).put(change)).with_state(token.clone())
}

async fn show() -> Response {
    match log::current() {
        Some(log) => json_response(StatusCode::OK, &json!({ "log": log })),
        None => problem::response(&not_ours(), ""),
    }
}

async fn change(State(token): State<Token>, headers: HeaderMap, body: String) -> Response {
    if let Some(refusal) = token.refusal(&headers) {
        return problem::response(&refusal, "");
    }
    match log::change(body.trim()) {
        Ok(true) => show().await,
        Ok(false) => problem::response(&not_ours(), ""),
        Err(text) => problem::response(&problem::plain(StatusCode::UNPROCESSABLE_ENTITY, text), ""),
    }
}

fn not_ours() -> crate::protocol::Fault {
    problem::plain(StatusCode::CONFLICT, "the program installed a log of its own, which is its own to change")
}
