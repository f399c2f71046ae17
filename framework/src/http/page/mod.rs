//! What the program's own pages share: the documents' and the operators'.
//!
//! Each is one text, and files beside it that do not change while the program runs. They ask nobody but the program for anything.

mod file;
mod origin;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};

pub(super) use self::{
    file::File,
    origin::{foreign, refusal},
};

pub(super) const CSS: &str = "text/css; charset=utf-8";
pub(super) const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A file that all pages have, by its name below the page's path, with its media type and its text.
pub(super) const SHARED: [(&str, &str, &str); 3] = [
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
    ("page.css", CSS, include_str!("page.css")),
    ("element.js", JAVASCRIPT, include_str!("element.js")),
];

/// A page. `policy` is what the browser may load for it.
pub(super) fn response(text: String, policy: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    file::secure(response.headers_mut());
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // A token may be in it.
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A text within an element or an attribute.
pub(super) fn escaped(text: &str) -> String {
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
