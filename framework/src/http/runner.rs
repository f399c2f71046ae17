//! Workers that something over HTTP fires, a request or a message of a socket: from the wait for a slot to the end.

use std::{
    any::Any,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

use super::problem;
use crate::{
    codec::Format,
    container::ServiceParts,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    entrypoint::timeout,
    observe::{self, EntrypointKind, Watch},
    protocol::{Fault, Message},
    resilience::Queue,
    service::{DynService, FaultKind, Outcome, ServiceDescriptor, WorkerCall},
    task::Tasks,
    worker::{Limits, MethodSlots, Running, Workers, log, unexpected},
};

impl Target {
    /// Something that fires it is there.
    pub(super) fn arrived(&self) -> Watch {
        self.seen.arrived()
    }
}

/// Runs the workers of one service.
pub(super) struct Runner {
    service: Arc<dyn DynService>,
    limits: Arc<Limits>,
    pub(super) tasks: Tasks,
    pub(super) workers: Arc<Workers>,
    /// Those that wait for a worker.
    queue: Queue,
}

/// One method, as what fires it finds it.
#[derive(Clone)]
pub(super) struct Target {
    /// What [`DynService::dispatch`] knows it by.
    index: usize,
    method: &'static str,
    slots: Arc<MethodSlots>,
    seen: Arc<observe::Entrypoint>,
    /// How long a worker of it may run.
    pub(super) timeout: Duration,
}

impl Runner {
    pub(super) fn new(of: ServiceParts, max_waiting: usize) -> Arc<Self> {
        let ServiceParts { service, limits, tasks, .. } = of;
        let workers = Workers::new(&tasks);
        Arc::new(Self { service, limits, tasks, workers, queue: Queue::new(max_waiting) })
    }

    pub(super) fn descriptor(&self) -> &'static ServiceDescriptor {
        self.service.descriptor()
    }

    /// Ends when the service stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.limits.stopped()
    }

    /// A method; `route` is what HTTP knows it by, and a socket's messages have none.
    pub(super) fn target(
        &self,
        (index, method): (usize, &'static str),
        route: Option<(&'static str, &'static str)>,
        max_workers: Option<usize>,
        timeout: Duration,
    ) -> Target {
        let kind = if route.is_some() { EntrypointKind::Http } else { EntrypointKind::Websocket };
        let seen = self.limits.observer().entrypoint(self.descriptor().name, method, kind, route);
        Target { index, method, slots: Arc::new(MethodSlots::new(self.limits.clone(), max_workers)), seen, timeout }
    }

    /// The context of a worker whose time begins now.
    pub(super) fn context(&self, target: &Target, watch: &Watch, message: Arc<Message>) -> WorkerContext {
        // A limit beyond the end of time is none.
        let deadline = watch.arrived().checked_add(target.timeout);
        WorkerContext::new(WorkerOrigin {
            service: self.descriptor().name,
            entrypoint: target.method,
            deadline,
            slots: Some(target.slots.clone()),
            trace: watch.trace(&message.properties, false),
            message,
            ..WorkerOrigin::default()
        })
    }

    /// The worker, with `around` what it can ask for. Dropped early, whoever fired it is gone: it is cancelled, and its hooks run to their
    /// end all the same.
    pub(super) async fn run(
        &self,
        target: &Target,
        mut watch: Watch,
        context: &WorkerContext,
        request: Option<Arc<dyn Any + Send + Sync>>,
        around: impl FnOnce(Work) -> Work,
    ) -> (Outcome, Watch) {
        // A stop waits for it, although its task is the connection's.
        let token = self.tasks.token();
        let running = self.workers.enter(context.clone());
        let waited = !target.slots.take_free();
        if waited {
            let Some(_place) = self.queue.enter() else {
                return (busy("all workers are busy, and as many wait for one as may"), watch);
            };
            // Rare, so it takes no room in the future of every request.
            let taken = context.until_cancelled(Box::pin(target.slots.take())).await;
            watch.waited();
            match taken {
                Ok(Some(())) => {}
                Ok(None) => return (Outcome::Cancelled(Cancelled::Stopping), watch),
                Err(Cancelled::DeadlinePassed) => return (too_late(), watch),
                Err(reason) => return (Outcome::Cancelled(reason), watch),
            }
        }
        if let Some(slot) = context.slot() {
            slot.taken();
        }
        // A slot that came too late is none: nothing has run, and the caller may ask again.
        if waited && let Some(left) = context.remaining() {
            let fault = match left.is_zero() {
                true => Some(too_late()),
                false => self.limits.too_late(&watch, left, watch.arrived().elapsed()).map(rejected),
            };
            if let Some(outcome) = fault {
                return (outcome, watch);
            }
        }
        let call = WorkerCall { request, ..WorkerCall::new(target.index, Format::Json, context.clone()) };
        let work = around(self.service.clone().dispatch(call));
        let work = match log::span(context) {
            Some(span) => work.instrument(span).boxed(),
            None => work,
        };
        let (outcome, watch) =
            Working { tasks: &self.tasks, worker: Some(Worker { work, running, token, watch }) }.await;
        let outcome = match outcome {
            Outcome::Cancelled(Cancelled::DeadlinePassed) => {
                unexpected(timeout(context.service(), context.entrypoint(), Some(target.timeout)))
            }
            outcome => outcome,
        };
        (outcome, watch)
    }
}

/// Why there is no answer; `none` is what is told of a method that something else fires.
pub(super) fn failure(outcome: Outcome, none: fn() -> Fault) -> Box<Fault> {
    match outcome {
        Outcome::Fault { fault, .. } => fault,
        Outcome::Cancelled(_) => Box::new(problem::stopping()),
        Outcome::Reply(_) | Outcome::Response(_) | Outcome::Done | Outcome::Failed(_) | Outcome::Batch(_) => {
            Box::new(none())
        }
    }
}

fn too_late() -> Outcome {
    busy("all workers were busy for as long as the request may take")
}

fn busy(why: &'static str) -> Outcome {
    rejected(Box::new(Fault::busy(why)))
}

fn rejected(fault: Box<Fault>) -> Outcome {
    Outcome::Fault { fault, kind: FaultKind::Rejected }
}

/// What runs hooks and method.
pub(super) type Work = BoxFuture<'static, Outcome>;

/// A worker that runs, and what it holds meanwhile.
struct Worker {
    work: Work,
    running: Running,
    token: TaskTrackerToken,
    watch: Watch,
}

/// A worker whose request may go away.
struct Working<'a> {
    worker: Option<Worker>,
    tasks: &'a Tasks,
}

impl Future for Working<'_> {
    type Output = (Outcome, Watch);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(Worker { work, running, .. }) = &mut self.worker else { unreachable!("polled after its end") };
        let outcome = ready!(running.context().within(|| work.as_mut().poll(cx)));
        let Some(Worker { watch, .. }) = self.worker.take() else { unreachable!("it was there a moment ago") };
        Poll::Ready((outcome, watch))
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        if let Some(Worker { work, running, token, watch }) = self.worker.take() {
            running.context().cancel(Cancelled::ConnectionLost);
            self.tasks.spawn(async move {
                let _token = token;
                let outcome = running.context().clone().scope(work).await;
                watch.end(running.context(), &outcome);
            });
        }
    }
}
