//! The page of those who run the program: one text and a few files.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::get,
};

use crate::http::page::{self, CSS, File, JAVASCRIPT, SHARED, escaped};

const TEMPLATE: &str = include_str!("page/operations.html");

/// What is served under `/operations/`, beside what all pages have.
const FILES: [(&str, &str, &str); 13] = [
    ("operations.css", CSS, include_str!("page/operations.css")),
    ("operations.js", JAVASCRIPT, include_str!("page/operations.js")),
    ("api.js", JAVASCRIPT, include_str!("page/api.js")),
    ("words.js", JAVASCRIPT, include_str!("page/words.js")),
    ("live.js", JAVASCRIPT, include_str!("page/live.js")),
    ("policies.js", JAVASCRIPT, include_str!("page/policies.js")),
    ("card.js", JAVASCRIPT, include_str!("page/card.js")),
    ("chart.js", JAVASCRIPT, include_str!("page/chart.js")),
    ("failures.js", JAVASCRIPT, include_str!("page/failures.js")),
    ("traces.js", JAVASCRIPT, include_str!("page/traces.js")),
    ("sagas.js", JAVASCRIPT, include_str!("page/sagas.js")),
    ("saga.js", JAVASCRIPT, include_str!("page/saga.js")),
    ("dialog.js", JAVASCRIPT, include_str!("page/dialog.js")),
];

/// Nothing but the program's own files, no style and no script within the page, and no frame of anybody else's.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(super) struct Page {
    /// For whoever opens it on the machine of a program that made its token itself.
    with_token: String,
    without: String,
}

impl Page {
    /// `has_sagas`: there are paths for them.
    pub(super) fn new(title: &str, token: Option<&str>, has_sagas: bool) -> Self {
        let template = TEMPLATE.replace("{{sagas}}", if has_sagas { "true" } else { "false" });
        let page = |token: &str| template.replace("{{title}}", &escaped(title)).replace("{{token}}", &escaped(token));
        Self { with_token: page(token.unwrap_or_default()), without: page("") }
    }

    pub(super) fn router(self) -> Router {
        let page = Arc::new(self);
        let shown = get(move |request: Request| {
            let page = page.clone();
            async move {
                let text = if page::refusal(&request).is_none() { &page.with_token } else { &page.without };
                page::response(text.clone(), POLICY)
            }
        });
        let router = Router::new().route("/operations", shown).route(
            "/operations/",
            get(|| async { (StatusCode::PERMANENT_REDIRECT, [("location", "../operations")]).into_response() }),
        );
        SHARED.into_iter().chain(FILES).fold(router, |router, (name, media, text)| {
            let file = Arc::new(File::plain(media, text.as_bytes()));
            let served = get(move |headers: HeaderMap| {
                let file = file.clone();
                async move { file.response(&headers) }
            });
            router.route(&format!("/operations/{name}"), served)
        })
    }
}
