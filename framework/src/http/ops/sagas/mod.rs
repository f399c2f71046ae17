//! `/sagas`: the sagas in the program's log, for those who run it, and what may be asked of one. `/operations` has them on its page.
//!
//! What a saga is about is nobody's business here: no input, no output, no context and no payload of a signal leaves the program. What an
//! error says in words does, since that is what whoever runs it needs.

mod api;
mod view;

use axum::Router;

use self::api::Api;
use super::Token;
use crate::saga::SagaStore;

/// The routes over one store.
pub(super) fn router(store: SagaStore, token: Token) -> Router {
    Api { store, token }.router()
}
