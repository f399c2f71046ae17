//! gRPC: services of `.proto` files, `#[grpc]` on the methods that serve them, and [`GrpcClient`] to call them; on tonic.
//!
//! The one folder that names tonic. A call goes: listener → [`server`](self)'s table → the service's dispatch → the method →
//! its answer, or its stream of them.

mod app;
mod client;
#[doc(hidden)]
pub mod expansion;
mod metadata;
mod method;
mod own;
#[doc(hidden)]
pub mod serde;
mod server;
mod settings;
mod status;
mod timeout;

pub use futures_util::Stream;
/// The messages beneath, for generated code.
pub use prost;
pub use prost_types;

pub(crate) use self::server::GrpcGateway;
pub use self::{
    client::{Call, Channel, GrpcClient, GrpcClientOptions, Responses, StreamCall},
    method::{BidiStreaming, ClientStreaming, Method, ProtoMethod, ProtoService, ServerStreaming, Unary, pattern},
    server::{ResponseMetadata, Streaming},
};

/// Brings what `kinoko-build` made of a package of `.proto` files: its messages, its services and their clients.
///
/// ```ignore
/// mod inventory {
///     kinoko::proto!("inventory.v1");
/// }
/// ```
#[macro_export]
macro_rules! proto {
    ($package:literal) => {
        ::core::include!(::core::concat!(::core::env!("OUT_DIR"), "/", $package, ".rs"));
    };
}
