//! Clients of gRPC services.

mod call;
mod channel;
mod codec;
mod dependency;
mod failure;
mod pool;
mod responses;
mod settings;

pub use self::{
    call::{Call, StreamCall},
    channel::Channel,
    dependency::{GrpcClient, GrpcClientOptions},
    responses::Responses,
};
