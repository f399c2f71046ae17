//! What a container needs to know of methods that a gRPC call fires.

use std::{any::Any, time::Duration};

/// One method of a service in a `.proto` file.
#[derive(Debug, Clone, Copy)]
pub struct GrpcInfo {
    /// What [`DynService::dispatch`](super::DynService::dispatch) knows it by.
    pub index: usize,
    /// The method.
    pub method: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The service in the file: `inventory.v1.Inventory`.
    pub service: &'static str,
    /// `/inventory.v1.Inventory/CheckStock`
    pub path: &'static str,
    /// Whether the caller streams, and whether the method does.
    pub streams: (bool, bool),
    /// The type of what it takes, as it is written.
    pub request: &'static str,
    /// The type of what it gives, as it is written.
    pub returns: &'static str,
    /// How long a worker of it may run; `None`: the setting `grpc.timeout`, for one request with one response.
    pub timeout: Option<Duration>,
    /// The most workers of it that run at once in one instance.
    pub max_workers: Option<usize>,
    /// The files that the service was made of, for reflection.
    pub descriptors: &'static [u8],
    /// How its calls are served: what the gRPC server knows, and nothing below it.
    pub serve: &'static (dyn Any + Send + Sync),
}
