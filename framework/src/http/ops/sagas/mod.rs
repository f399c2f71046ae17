//! `/sagas`: the sagas in the program's log, for those who run it, and what may be asked of one. `/operations` is the page for it.
//!
//! What a saga is about is nobody's business here: no input, no output, no context and no payload of a signal leaves the program. What an
//! error says in words does, since that is what whoever runs it needs.

mod api;
mod page;
mod view;

use axum::Router;

use self::{api::Api, page::Page};
use super::Token;
use crate::saga::SagaStore;

/// The paths that people are told of.
pub(super) const PATHS: [&str; 2] = ["/sagas", "/operations"];

/// The routes over one store. `title` is what people call the program.
pub(super) fn router(store: SagaStore, token: Token, title: &str) -> Router {
    let page = Page::new(title, token.to_print());
    page.router().merge(Api { store, token }.router())
}
