//! `grpc.health.v1.Health`: whether the program takes calls, for load balancers and for Consul.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::{sync::watch, time::timeout};
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};
use tower::ServiceExt;

use super::table::Own;
use crate::container::Program;

/// How often who watches is told, where it has changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How far the program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Running,
    Stopping,
}

/// Answers for each service and, by the empty name, for the whole program: they are ready together.
#[derive(Clone)]
struct Readiness {
    program: Program,
    services: Arc<[&'static str]>,
    phase: watch::Receiver<Phase>,
}

pub(super) fn of(program: Program, services: Arc<[&'static str]>, phase: watch::Receiver<Phase>) -> Own {
    let server = HealthServer::new(Readiness { program, services, phase });
    Own {
        name: "grpc.health.v1.Health",
        answer: Box::new(move |request| Box::pin(super::whole(server.clone().oneshot(request)))),
    }
}

impl Readiness {
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.services.contains(&service)
    }

    fn status(&self) -> HealthCheckResponse {
        let is_ready = *self.phase.borrow() == Phase::Running && self.program.readiness().is_ready();
        let status = if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        HealthCheckResponse { status: status.into() }
    }
}

/// Who watches one service.
struct Watching {
    health: Readiness,
    knows: bool,
    last: Option<HealthCheckResponse>,
    is_over: bool,
}

impl Watching {
    /// The next status that differs from the last one. The last of all is that the program stops.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            self.is_over = *self.health.phase.borrow_and_update() == Phase::Stopping;
            let now = match self.knows {
                true => self.health.status(),
                // As the protocol has it: one day it may be there.
                false => HealthCheckResponse { status: ServingStatus::ServiceUnknown.into() },
            };
            if self.is_over || self.last.as_ref() != Some(&now) {
                self.last = Some(now);
                return Some((Ok(now), self));
            }
            let changed = timeout(LOOK_INTERVAL, self.health.phase.changed()).await;
            // Nobody is there to change it any more.
            self.is_over = matches!(changed, Ok(Err(_)));
            if self.is_over {
                return None;
            }
        }
    }
}

#[async_trait]
impl Health for Readiness {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !self.knows(service) {
            return Err(Status::not_found(format!("no service `{service}` here")));
        }
        Ok(Response::new(self.status()))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let knows = self.knows(&request.get_ref().service);
        let watching = Watching { health: self.clone(), knows, last: None, is_over: false };
        Ok(Response::new(stream::unfold(watching, Watching::next).boxed()))
    }
}
