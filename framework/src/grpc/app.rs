//! Where a program's gRPC is found.

use std::net::SocketAddr;

use super::GrpcGateway;
use crate::container::RunningApp;

impl RunningApp {
    /// Where the gRPC server listens: the setting `grpc.address`, with the port that port 0 became. `None` where there is nothing to serve.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.gateway::<GrpcGateway>()?.address()
    }
}
