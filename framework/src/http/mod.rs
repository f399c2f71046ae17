//! HTTP: `#[http]` on methods, validation, problems, documents, operations endpoints, on axum.
//!
//! The one folder that names axum. A request goes: listener ([`server`](self)) → router → [`entrypoint`](self), which reads the body
//! and takes a worker's slot → the service's dispatch, which binds the parameters ([`bind`](self)) → the method → its answer.

mod answer;
mod app;
mod bind;
mod challenge;
pub(crate) mod context;
mod docs;
mod entrypoint;
#[doc(hidden)]
pub mod expansion;
mod extract;
#[cfg(feature = "jwt")]
mod fetch;
mod file;
mod gateway;
mod media;
mod ops;
mod origin;
mod page;
mod problem;
mod request;
mod router;
mod serving;
mod site;
mod token_cookie;
mod websocket;

#[cfg(feature = "jwt")]
pub(crate) use self::fetch::fetch;
pub(crate) use self::gateway::HttpGateway;
#[cfg(feature = "testing")]
pub(crate) use self::serving::Routers;
pub use self::{
    file::File,
    media::Secured,
    problem::{FieldProblem, Problem},
    websocket::{Socket, WebSocketHub},
};
pub use crate::service::SecurityScheme;
/// The web framework beneath, for its extractors and answers.
pub use axum;
