//! `/openapi.json`, `/asyncapi.json` and `/docs`: the documents of a program, and a page to read and try it.
//!
//! The page is one for all: Swagger UI for HTTP, and sections of our own for RPC, events, queues and timers. It asks nobody but the
//! program for anything. In development mode it can send calls and events as well.

mod page;
mod send;

use std::sync::Arc;

use axum::{
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use self::{page::Page, send::Sending};
use super::{
    ops::Token,
    page::{CSS, File, JAVASCRIPT, SHARED},
    router::Route,
};
use crate::{
    Result,
    config::Mode,
    container::Program,
    documents::{Info, asyncapi, openapi},
    service::ServiceDescriptor,
};

/// What is served under `/docs/`, beside the page and what all pages have.
const FILES: [(&str, &str, Content); 7] = [
    ("page.js", JAVASCRIPT, Content::Plain(include_str!("page/page.js"))),
    ("schema.js", JAVASCRIPT, Content::Plain(include_str!("page/schema.js"))),
    ("asyncapi.js", JAVASCRIPT, Content::Plain(include_str!("page/asyncapi.js"))),
    ("sections.js", JAVASCRIPT, Content::Plain(include_str!("page/sections.js"))),
    ("send.js", JAVASCRIPT, Content::Plain(include_str!("page/send.js"))),
    ("swagger-ui.css", CSS, Content::Gzip(include_bytes!("swagger-ui/swagger-ui.css.gz"))),
    ("swagger-ui.js", JAVASCRIPT, Content::Gzip(include_bytes!("swagger-ui/swagger-ui-bundle.js.gz"))),
];

#[derive(Clone, Copy)]
enum Content {
    Plain(&'static str),
    Gzip(&'static [u8]),
}

/// What a program serves of itself. In development mode the page can send.
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for settings of the wrong type.
pub(super) fn of(program: &Program, version: Option<&str>, mode: Mode, token: &Token) -> Result<Vec<Route>> {
    let services = program.descriptors();
    let info = Info::new(&services, version, program.settings())?;
    let sending = (mode == Mode::Development).then(|| Sending {
        proxy: program.proxy(),
        events: program.events(),
        token: token.clone(),
    });
    Ok(routes(&info, &services, sending))
}

/// The routes of the documents and of the page.
///
/// `sending` is what the page sends with, in development mode; without it there is nothing to send to.
fn routes(info: &Info, services: &[&'static ServiceDescriptor], sending: Option<Sending>) -> Vec<Route> {
    let document = |document: crate::protocol::Value| File::plain("application/json", document.to_string().as_bytes());
    let shared = SHARED.iter().map(|(name, media, text)| (name, media, Content::Plain(text)));
    let files = FILES.iter().map(|(name, media, content)| (name, media, *content));
    let files = shared.chain(files).map(|(name, media, content)| {
        let file = match content {
            Content::Plain(text) => File::plain(media, text.as_bytes()),
            Content::Gzip(bytes) => File::gzip(media, bytes),
        };
        (format!("/docs/{name}"), file)
    });
    let documents = [
        ("/openapi.json".to_owned(), document(openapi(info, services))),
        ("/asyncapi.json".to_owned(), document(asyncapi(info, services))),
    ];
    let mut routes: Vec<_> = files.chain(documents).map(|(path, file)| file_route(&path, file)).collect();
    let page = Arc::new(Page::new(info, sending.as_ref()));
    routes.push(route("GET", "/docs", move |request| {
        let page = page.clone();
        async move { page.response(&request) }
    }));
    routes.push(route("GET", "/docs/", |_| async {
        (StatusCode::PERMANENT_REDIRECT, [("location", "../docs")]).into_response()
    }));
    if let Some(sending) = sending {
        routes.extend(sending.routes());
    }
    routes
}

fn file_route(path: &str, file: File) -> Route {
    let file = Arc::new(file);
    route("GET", path, move |request: Request| {
        let file = file.clone();
        async move { file.response(request.headers()) }
    })
}

fn route<F, R>(verb: &'static str, path: &str, serve: F) -> Route
where
    F: Fn(Request) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    Route::new(verb, path, "the docs page (`http.docs: false` turns it off)".to_owned(), serve)
}

#[cfg(test)]
mod tests;
