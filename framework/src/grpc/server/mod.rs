//! The server behind `#[grpc]`.

mod body;
mod entrypoint;
mod gateway;
mod health;
mod patterns;
mod reflection;
mod requests;
mod response_metadata;
mod responses;
mod serve;
mod settings;
mod table;

use std::{convert::Infallible, future::Future};

use http::Response;
use tonic::body::Body;

pub(crate) use self::gateway::GrpcGateway;
pub use self::{
    patterns::{Pattern, Serve},
    requests::Streaming,
    response_metadata::ResponseMetadata,
    serve::Served,
};
pub(super) use self::{
    responses::Items,
    serve::{Answered, Taken},
};

/// The answer of a service that does not fail.
async fn whole(answer: impl Future<Output = Result<Response<Body>, Infallible>> + Send) -> Response<Body> {
    answer.await.unwrap_or_else(|never| match never {})
}
