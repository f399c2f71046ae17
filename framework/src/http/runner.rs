//! Workers that something over HTTP fires, a request or a message of a socket: from the wait for a slot to the end.

use std::{
    any::Any,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::http::StatusCode;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

use super::problem;
use crate::{
    codec::Format,
    container::ServiceParts,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    entrypoint::timeout,
    protocol::{Fault, Message, excerpt},
    service::{DynService, Outcome, ServiceDescriptor, WorkerCall},
    task::Tasks,
    worker::{Limits, MethodSlots, Running, Workers, log},
};

/// Runs the workers of one service.
pub(super) struct Runner {
    service: Arc<dyn DynService>,
    limits: Arc<Limits>,
    pub(super) tasks: Tasks,
    pub(super) workers: Arc<Workers>,
}

/// One method, as what fires it finds it.
#[derive(Clone)]
pub(super) struct Target {
    /// What [`DynService::dispatch`] knows it by.
    index: usize,
    method: &'static str,
    slots: Arc<MethodSlots>,
    /// How long a worker of it may run.
    pub(super) timeout: Duration,
}

impl Runner {
    pub(super) fn new(of: ServiceParts) -> Arc<Self> {
        let ServiceParts { service, limits, tasks, .. } = of;
        let workers = Workers::new(&tasks);
        Arc::new(Self { service, limits, tasks, workers })
    }

    pub(super) fn descriptor(&self) -> &'static ServiceDescriptor {
        self.service.descriptor()
    }

    /// Ends when the service stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.limits.stopped()
    }

    pub(super) fn target(
        &self,
        index: usize,
        method: &'static str,
        max_workers: Option<usize>,
        timeout: Duration,
    ) -> Target {
        Target { index, method, slots: Arc::new(MethodSlots::new(self.limits.clone(), max_workers)), timeout }
    }

    /// The context of a worker whose time begins now.
    pub(super) fn context(&self, target: &Target, message: Arc<Message>) -> WorkerContext {
        // A limit beyond the end of time is none.
        self.context_until(target, message, Instant::now().checked_add(target.timeout))
    }

    pub(super) fn context_until(
        &self,
        target: &Target,
        message: Arc<Message>,
        deadline: Option<Instant>,
    ) -> WorkerContext {
        WorkerContext::new(WorkerOrigin {
            service: self.descriptor().name,
            entrypoint: target.method,
            deadline,
            slots: Some(target.slots.clone()),
            message,
            ..WorkerOrigin::default()
        })
    }

    /// The worker, with `around` what it can ask for. Dropped early, whoever fired it is gone: it is cancelled, and its hooks run to their
    /// end all the same.
    pub(super) async fn run(
        &self,
        target: &Target,
        context: &WorkerContext,
        request: Option<Arc<dyn Any + Send + Sync>>,
        around: impl FnOnce(Work) -> Work,
    ) -> Outcome {
        // A stop waits for it, although its task is the connection's.
        let token = self.tasks.token();
        let running = self.workers.enter(context.clone());
        let waited = !target.slots.take_free();
        if waited {
            // Rare, so it takes no room in the future of every request.
            match context.until_cancelled(Box::pin(target.slots.take())).await {
                Ok(Some(())) => {}
                Ok(None) => return Outcome::Cancelled(Cancelled::Stopping),
                Err(Cancelled::DeadlinePassed) => return busy(),
                Err(reason) => return Outcome::Cancelled(reason),
            }
        }
        if let Some(slot) = context.slot() {
            slot.taken();
        }
        // A slot that came too late is none: nothing has run, and the caller may ask again.
        if waited && context.remaining().is_some_and(|left| left.is_zero()) {
            return busy();
        }
        let call = WorkerCall { request, ..WorkerCall::new(target.index, Format::Json, context.clone()) };
        let work = around(self.service.clone().dispatch(call));
        let work = match log::span(context) {
            Some(span) => work.instrument(span).boxed(),
            None => work,
        };
        Working { tasks: &self.tasks, worker: Some(Worker { work, running, token }) }.await
    }
}

/// Why there is no answer, said in the log as well; `none` is what is told of a method that something else fires.
pub(super) fn failure(outcome: Outcome, context: &WorkerContext, target: &Target, none: fn() -> Fault) -> Box<Fault> {
    let (service, method, call_id) = (context.service(), context.entrypoint(), context.call_id());
    match outcome {
        Outcome::Fault { fault, expected } => {
            if expected {
                tracing::warn!(service, method, call_id, fault = excerpt(&fault), "request failed as expected");
            } else {
                tracing::error!(service, method, call_id, fault = excerpt(&fault), "request failed");
            }
            fault
        }
        Outcome::Cancelled(reason) => {
            tracing::warn!(service, method, call_id, %reason, "request dropped");
            Box::new(match reason {
                Cancelled::DeadlinePassed => timeout(service, method, Some(target.timeout)),
                Cancelled::Stopping | Cancelled::ConnectionLost => problem::stopping(),
            })
        }
        Outcome::Reply(_) | Outcome::Response(_) | Outcome::Done | Outcome::Failed(_) | Outcome::Batch(_) => {
            Box::new(none())
        }
    }
}

#[cold]
fn busy() -> Outcome {
    let fault = Fault {
        code: Some("BUSY".into()),
        http: Some(StatusCode::SERVICE_UNAVAILABLE.as_u16()),
        retryable: Some(true),
        ..Fault::nameko("Busy", "all workers were busy for as long as the request may take")
    };
    Outcome::Fault { fault: Box::new(fault), expected: true }
}

/// What runs hooks and method.
pub(super) type Work = BoxFuture<'static, Outcome>;

/// A worker that runs, and what it holds meanwhile.
struct Worker {
    work: Work,
    running: Running,
    token: TaskTrackerToken,
}

/// A worker whose request may go away.
struct Working<'a> {
    worker: Option<Worker>,
    tasks: &'a Tasks,
}

impl Future for Working<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Some(Worker { work, running, .. }) = &mut self.worker else { unreachable!("polled after its end") };
        let outcome = ready!(running.context().within(|| work.as_mut().poll(cx)));
        self.worker = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if let Some(Worker { work, running, token }) = self.worker.take() {
            running.context().cancel(Cancelled::ConnectionLost);
            self.tasks.spawn(async move {
                let _token = token;
                running.context().clone().scope(work).await;
            });
        }
    }
}
