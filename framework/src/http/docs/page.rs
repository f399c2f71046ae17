//! The page itself: one text, with the program's name, and in development mode with the token that its forms send.

use axum::{extract::Request, response::Response};

use super::Sending;
use crate::{
    documents::Info,
    http::page::{self, escaped},
};

const TEMPLATE: &str = include_str!("page/page.html");

/// Nothing but the program's own files, and no script or frame of anybody else's. Swagger UI sets styles by attribute, and has small
/// pictures within its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) struct Page {
    /// For whoever may send.
    with_token: String,
    without: String,
}

impl Page {
    pub(super) fn new(info: &Info, sending: Option<&Sending>) -> Self {
        let page = |sending: Option<&Sending>| {
            let token = sending.and_then(|sending| sending.token.to_print()).unwrap_or_default();
            TEMPLATE
                .replace("{{title}}", &escaped(info.title()))
                .replace("{{version}}", &escaped(info.version()))
                .replace("{{sending}}", if sending.is_some() { "true" } else { "false" })
                .replace("{{token}}", &escaped(token))
        };
        Self { with_token: page(sending), without: page(None) }
    }

    pub(super) fn response(&self, request: &Request) -> Response {
        let text = if page::refusal(request).is_none() { &self.with_token } else { &self.without };
        page::response(text.clone(), POLICY)
    }
}
