//! The page itself: one text, with the program's name, and in development mode with the token that its forms send.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};

use super::{Sending, file, origin};
use crate::documents::Info;

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
        let text = if origin::refusal(request).is_none() { &self.with_token } else { &self.without };
        let mut response = Response::new(Body::from(text.clone()));
        file::secure(response.headers_mut());
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            // A token is in it.
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// A text within an element or an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // So that what is filled in later finds no place in what was filled in before.
            '{' => escaped.push_str("&#123;"),
            c => escaped.push(c),
        }
    }
    escaped
}
