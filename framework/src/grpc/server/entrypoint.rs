//! `#[grpc]`: the methods of one container. The listener belongs to the program.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;

use super::{patterns::Serve, serve::Served, settings::CallSettings};
use crate::{
    Result,
    container::ServiceParts,
    context::Cancelled,
    entrypoint::{Entrypoint, request::Runner},
    observe::EntrypointKind,
    transport::{ConsumerStatus, Transport},
};

/// The gRPC side of one container.
pub(super) struct GrpcEntrypoint {
    runner: Arc<Runner>,
    settings: CallSettings,
}

impl GrpcEntrypoint {
    pub(super) fn new(of: ServiceParts, settings: CallSettings) -> Self {
        Self { runner: Runner::new(of.service, of.limits, of.tasks, settings.max_waiting), settings }
    }

    /// Its methods, for the program's table.
    pub(super) fn methods(&self, server: &HeaderValue) -> Vec<(Serve, Arc<Served>)> {
        let methods = self.runner.descriptor().grpc.iter().filter_map(|info| {
            let serve = *info.serve.downcast_ref::<Serve>()?;
            let (service, name) = info.path.strip_prefix('/')?.split_once('/')?;
            let is_stream = info.streams != (false, false);
            let limit = info.timeout.or((!is_stream).then_some(self.settings.timeout));
            let target = self.runner.target(
                (info.index, info.method),
                EntrypointKind::Grpc,
                Some((service, name)),
                info.max_workers,
                limit,
            );
            let target = if is_stream { target.never_too_late() } else { target };
            let served =
                Served { runner: self.runner.clone(), target, info, settings: self.settings, server: server.clone() };
            Some((serve, Arc::new(served)))
        });
        methods.collect()
    }
}

#[async_trait]
impl Entrypoint for GrpcEntrypoint {
    async fn start(&self, _: &Arc<dyn Transport>, _: u16) -> Result<()> {
        Ok(())
    }

    async fn stop_taking(&self) {}

    fn cancel_workers(&self) {
        self.runner.workers.cancel_all(Cancelled::Stopping);
    }

    fn consumer_statuses(&self) -> Vec<ConsumerStatus> {
        Vec::new()
    }

    fn running(&self) -> usize {
        self.runner.workers.len()
    }
}
