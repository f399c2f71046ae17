//! Workers whom somebody waits for over a connection, of HTTP, of a socket or of gRPC: from the wait for a slot to the end.

use std::{
    any::Any,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

use super::timeout;
use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    observe::{self, EntrypointKind, Watch},
    protocol::{Fault, Message},
    resilience::Queue,
    service::{DynService, FaultKind, Outcome, ServiceDescriptor, WorkerCall},
    task::Tasks,
    worker::{Limits, MethodSlots, Running, Workers, log, unexpected},
};

impl Target {
    /// Something that fires it is there.
    pub(crate) fn arrived(&self) -> Watch {
        self.seen.arrived()
    }

    /// When a worker that began with this has run for as long as it may. A limit beyond the end of time is none.
    pub(crate) fn deadline(&self, watch: &Watch) -> Option<Instant> {
        watch.arrived().checked_add(self.timeout?)
    }

    /// How long others took says nothing of the next: a stream lasts for as long as somebody listens.
    #[cfg(feature = "grpc")]
    pub(crate) fn never_too_late(self) -> Self {
        Self { sheds: false, ..self }
    }

    /// What a worker comes to that was cancelled. At the method's own limit that is the service's fault; at the end of its caller's time
    /// nobody's.
    pub(crate) fn cancelled(&self, context: &WorkerContext, watch: &Watch, reason: Cancelled) -> Outcome {
        match reason {
            Cancelled::DeadlinePassed if self.deadline(watch).is_some_and(|own| context.deadline() >= Some(own)) => {
                unexpected(timeout(context.service(), context.entrypoint(), self.timeout))
            }
            reason => Outcome::Cancelled(reason),
        }
    }
}

/// How a worker ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) watch: Watch,
    /// Of one that ran: what a stop waits for, and what it cancels.
    #[cfg_attr(not(feature = "grpc"), allow(dead_code, reason = "only what a feature adds keeps it"))]
    pub(crate) held: Option<Held>,
}

/// The place of a worker among those that run. Kept beyond its method, the stream that it gave belongs to it.
pub(crate) struct Held {
    _running: Running,
    _token: TaskTrackerToken,
}

impl Ended {
    /// Of one that has not run.
    fn before(outcome: Outcome, watch: Watch) -> Self {
        Self { outcome, watch, held: None }
    }
}

/// Runs the workers of one service.
pub(crate) struct Runner {
    service: Arc<dyn DynService>,
    limits: Arc<Limits>,
    pub(crate) tasks: Tasks,
    pub(crate) workers: Arc<Workers>,
    /// Those that wait for a worker.
    queue: Queue,
}

/// One method, as what fires it finds it.
#[derive(Clone)]
pub(crate) struct Target {
    /// What [`DynService::dispatch`] knows it by.
    index: usize,
    method: &'static str,
    slots: Arc<MethodSlots>,
    seen: Arc<observe::Entrypoint>,
    /// How long a worker of it may run; `None`: as long as its caller waits.
    timeout: Option<Duration>,
    /// Whether what waited may be too late to begin, by how long others took.
    sheds: bool,
}

impl Runner {
    pub(crate) fn new(
        service: Arc<dyn DynService>,
        limits: Arc<Limits>,
        tasks: Tasks,
        max_waiting: usize,
    ) -> Arc<Self> {
        let workers = Workers::new(&tasks);
        Arc::new(Self { service, limits, tasks, workers, queue: Queue::new(max_waiting) })
    }

    pub(crate) fn descriptor(&self) -> &'static ServiceDescriptor {
        self.service.descriptor()
    }

    /// Ends when the service stops.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.limits.stopped()
    }

    /// A method; `route` is what the world calls it, where that is not its name.
    pub(crate) fn target(
        &self,
        (index, method): (usize, &'static str),
        kind: EntrypointKind,
        route: Option<(&'static str, &'static str)>,
        max_workers: Option<usize>,
        timeout: Option<Duration>,
    ) -> Target {
        let seen = self.limits.observer().entrypoint(self.descriptor().name, method, kind, route);
        let slots = Arc::new(MethodSlots::new(self.limits.clone(), max_workers));
        Target { index, method, slots, seen, timeout, sheds: true }
    }

    /// The context of a worker that may run until then.
    pub(crate) fn context(
        &self,
        target: &Target,
        watch: &Watch,
        message: Arc<Message>,
        deadline: Option<Instant>,
    ) -> WorkerContext {
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
    pub(crate) async fn run(
        &self,
        target: &Target,
        mut watch: Watch,
        context: &WorkerContext,
        request: Option<Arc<dyn Any + Send + Sync>>,
        around: impl FnOnce(Work) -> Work,
    ) -> Ended {
        // A stop waits for it, although its task is the connection's.
        let token = self.tasks.token();
        let running = self.workers.enter(context.clone());
        let waited = !target.slots.take_free();
        if waited {
            let Some(_place) = self.queue.enter() else {
                return Ended::before(busy("all workers are busy, and as many wait for one as may"), watch);
            };
            // Rare, so it takes no room in the future of every request.
            let taken = context.until_cancelled(Box::pin(target.slots.take())).await;
            watch.waited();
            match taken {
                Ok(Some(())) => {}
                Ok(None) => return Ended::before(Outcome::Cancelled(Cancelled::Stopping), watch),
                Err(Cancelled::DeadlinePassed) => return Ended::before(too_late(), watch),
                Err(reason) => return Ended::before(Outcome::Cancelled(reason), watch),
            }
        }
        if let Some(slot) = context.slot() {
            slot.taken();
        }
        // A slot that came too late is none: nothing has run, and the caller may ask again.
        if waited && let Some(left) = context.remaining() {
            let fault = match left.is_zero() {
                true => Some(too_late()),
                false if !target.sheds => None,
                false => self.limits.too_late(&watch, left, watch.arrived().elapsed()).map(rejected),
            };
            if let Some(outcome) = fault {
                return Ended::before(outcome, watch);
            }
        }
        let call = WorkerCall { request, ..WorkerCall::new(target.index, Format::Json, context.clone()) };
        let work = around(self.service.clone().dispatch(call));
        let work = match log::span(context) {
            Some(span) => work.instrument(span).boxed(),
            None => work,
        };
        let ended = Working { tasks: &self.tasks, worker: Some(Worker { work, running, token, watch }) }.await;
        match ended.outcome {
            Outcome::Cancelled(reason) => Ended { outcome: target.cancelled(context, &ended.watch, reason), ..ended },
            _ => ended,
        }
    }
}

/// Why there is no answer; `none` is what is told of a method that something else fires.
pub(crate) fn failure(outcome: Outcome, none: fn() -> Fault) -> Box<Fault> {
    match outcome {
        Outcome::Fault { fault, .. } => fault,
        Outcome::Cancelled(_) => Box::new(Fault::stopping()),
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
pub(crate) type Work = BoxFuture<'static, Outcome>;

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
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let Some(Worker { work, running, .. }) = &mut self.worker else { unreachable!("polled after its end") };
        let outcome = ready!(running.context().within(|| work.as_mut().poll(cx)));
        let Some(Worker { watch, running, token, .. }) = self.worker.take() else {
            unreachable!("it was there a moment ago")
        };
        Poll::Ready(Ended { outcome, watch, held: Some(Held { _running: running, _token: token }) })
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
