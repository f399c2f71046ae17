//! The context of one worker: who called, until when, with what; and the task-local that hands it to the clients used inside.
//!
//! No I/O.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{future::BoxFuture, task::AtomicWaker};
use tokio::time::Instant;

use crate::{
    Result,
    protocol::{Fault, Message, Properties, Value, context_data},
};

tokio::task_local! {
    static CURRENT: WorkerContext;
}

/// The context of one worker: one execution of one method.
///
/// Inject it (`#[inject] cx: WorkerContext`), or ask for it anywhere below the method with [`WorkerContext::current`].
/// Cheap to clone.
#[derive(Clone)]
pub struct WorkerContext(Arc<Inner>);

struct Inner {
    service: &'static str,
    entrypoint: &'static str,
    message: Arc<Message>,
    redelivered: bool,
    deadline: Option<Instant>,
    call_id: OnceLock<String>,
    cancellation: Cancellation,
    slot: Option<Slot>,
    hooks: Mutex<Vec<Box<dyn WorkerHook>>>,
}

/// Everything that makes a [`WorkerContext`].
#[derive(Default)]
pub(crate) struct WorkerOrigin {
    pub(crate) service: &'static str,
    pub(crate) entrypoint: &'static str,
    pub(crate) message: Arc<Message>,
    pub(crate) redelivered: bool,
    pub(crate) deadline: Option<Instant>,
    pub(crate) slots: Option<Arc<dyn Slots>>,
}

impl WorkerContext {
    pub(crate) fn new(origin: WorkerOrigin) -> Self {
        Self(Arc::new(Inner {
            service: origin.service,
            entrypoint: origin.entrypoint,
            message: origin.message,
            redelivered: origin.redelivered,
            deadline: origin.deadline,
            call_id: OnceLock::new(),
            cancellation: Cancellation::default(),
            slot: origin.slots.map(Slot::new),
            hooks: Mutex::default(),
        }))
    }

    /// The context of the worker that this code runs in, if it runs in one.
    ///
    /// A task spawned inside a worker has it only when it was spawned with [`kinoko::spawn`](crate::spawn).
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs a future as part of this worker.
    pub(crate) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// The service that the worker belongs to.
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// The method, by the name that callers use.
    pub fn entrypoint(&self) -> &'static str {
        self.0.entrypoint
    }

    /// This call's id: `{service}.{method}.{uuid}`, as Nameko forms it.
    pub fn call_id(&self) -> &str {
        self.0.call_id.get_or_init(|| context_data::call_id(self.0.service, self.0.entrypoint))
    }

    /// The ids of the calls that led here, oldest first, this one last.
    pub fn call_id_stack(&self) -> Vec<String> {
        let mut stack = self.parent_call_ids();
        stack.push(self.call_id().to_owned());
        stack
    }

    /// The ids of the calls that led here, oldest first, without this one. Empty where the caller sent none.
    pub fn parent_call_ids(&self) -> Vec<String> {
        let stack = context_data::read_stack(&self.0.message.properties);
        match &self.0.message.properties.correlation_id {
            // A call from outside any worker, on the short path: its id is formed here rather than sent.
            Some(id) if stack.is_empty() && self.0.message.properties.kind.is_some() => {
                vec![format!("standalone_rpc_client.{id}")]
            }
            _ => stack,
        }
    }

    /// The first call of the chain, as far as it was tracked.
    pub fn origin_call_id(&self) -> Option<String> {
        self.parent_call_ids().into_iter().next()
    }

    /// The call that made this one.
    pub fn immediate_parent_call_id(&self) -> Option<String> {
        self.parent_call_ids().pop()
    }

    /// When the caller stops waiting. `None`: it waits without a limit, as Python callers do.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// What is left until the deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Context data under a key, such as `language`: the header `nameko.language`. It passes on along nested calls.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.data().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// All context data, without the call-id stack.
    pub fn data(&self) -> impl Iterator<Item = (&str, &Value)> {
        context_data::context_data(&self.0.message.properties.headers)
    }

    /// A header of the delivery, by its whole name. Headers that do not start with `nameko.` stay with the delivery.
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.0.message.properties.headers.get(name)
    }

    /// Whether the delivery may have been given to a worker before.
    pub fn redelivered(&self) -> bool {
        self.0.redelivered
    }

    /// Adds a hook that runs when the method is over: how an `#[inject]` parameter such as a transaction learns the outcome.
    /// Hooks run in reverse order.
    pub fn attach(&self, hook: impl WorkerHook) {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    pub(crate) fn take_hooks(&self) -> Vec<Box<dyn WorkerHook>> {
        std::mem::take(&mut *self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what a nested call takes along: the context data, and the call-id stack with this worker on top.
    pub(crate) fn pass_on(&self, properties: &mut Properties, parents_tracked: usize, short_path: bool) {
        for (key, value) in self.data() {
            properties.headers.set(format!("{}{key}", context_data::PREFIX), value.clone());
        }
        let mut stack = self.call_id_stack();
        stack.drain(..stack.len().saturating_sub(parents_tracked.saturating_add(1)));
        context_data::write_stack(properties, stack, short_path);
    }

    /// Ends the method at its next await: its future is dropped, hooks run.
    pub(crate) fn cancel(&self, reason: Cancelled) {
        self.0.cancellation.cancel(reason);
    }

    /// Runs a future until it ends or the worker is cancelled.
    pub(crate) fn until_cancelled<F: Future>(&self, future: F) -> UntilCancelled<'_, F> {
        UntilCancelled { cancellation: &self.0.cancellation, future }
    }

    /// The worker's slot among those of its container, if it takes one.
    pub(crate) fn slot(&self) -> Option<&Slot> {
        self.0.slot.as_ref()
    }
}

impl fmt::Debug for WorkerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerContext")
            .field("service", &self.0.service)
            .field("entrypoint", &self.0.entrypoint)
            .field("call_id", &self.call_id())
            .finish_non_exhaustive()
    }
}

/// What happens around one worker's end, attached with [`WorkerContext::attach`].
///
/// A hook that fails turns the call into a fault; it never ends the process.
#[async_trait]
pub trait WorkerHook: Send + 'static {
    /// Runs when the method is over and *before* its reply leaves, so that a failed commit is not reported as success.
    ///
    /// # Errors
    ///
    /// Become the call's fault.
    async fn result(&mut self, outcome: WorkerOutcome<'_>) -> Result<()> {
        let _ = outcome;
        Ok(())
    }

    /// Runs last, whatever happened.
    ///
    /// # Errors
    ///
    /// Become the call's fault.
    async fn teardown(&mut self) -> Result<()> {
        Ok(())
    }
}

/// How a worker's method ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum WorkerOutcome<'a> {
    /// It returned a value.
    Ok,
    /// It returned an error, or panicked.
    Failed(&'a Fault),
    /// Its future was dropped before it ended.
    Cancelled(Cancelled),
}

impl WorkerOutcome<'_> {
    /// Whether the method returned a value.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}

/// Why a worker was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Cancelled {
    /// Nobody waits for its reply any more.
    DeadlinePassed = 1,
    /// The connection that delivered the request is gone: somebody else gets it.
    ConnectionLost = 2,
    /// The container stops and the grace period is over.
    Stopping = 3,
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeadlinePassed => "the deadline passed",
            Self::ConnectionLost => "the connection was lost",
            Self::Stopping => "the service stops",
        })
    }
}

#[derive(Default)]
struct Cancellation {
    reason: AtomicU8,
    waker: AtomicWaker,
}

impl Cancellation {
    fn cancel(&self, reason: Cancelled) {
        // The first reason stays.
        let _ = self.reason.compare_exchange(0, reason as u8, Ordering::Release, Ordering::Relaxed);
        self.waker.wake();
    }

    fn reason(&self) -> Option<Cancelled> {
        match self.reason.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Cancelled::DeadlinePassed),
            2 => Some(Cancelled::ConnectionLost),
            _ => Some(Cancelled::Stopping),
        }
    }
}

/// See [`WorkerContext::until_cancelled`].
pub(crate) struct UntilCancelled<'a, F> {
    cancellation: &'a Cancellation,
    future: F,
}

impl<F: Future + Unpin> Future for UntilCancelled<'_, F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(reason) = self.cancellation.reason() {
            return Poll::Ready(Err(reason));
        }
        if let Poll::Ready(output) = Pin::new(&mut self.future).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        self.cancellation.waker.register(cx.waker());
        // Cancelled between the look and the registration?
        match self.cancellation.reason() {
            Some(reason) => Poll::Ready(Err(reason)),
            None => Poll::Pending,
        }
    }
}

/// The worker slots of a container. Lower tiers wait with this; the container implements it.
pub(crate) trait Slots: Send + Sync {
    /// A worker begins to wait for something that another worker has to do: its slot is free.
    fn park(&self);

    /// The wait is over. The worker has no slot yet.
    fn unpark(&self);

    /// Takes a slot, which [`release`](Self::release) gives back.
    fn acquire(&self) -> BoxFuture<'static, ()>;

    /// Gives one slot back.
    fn release(&self);
}

/// One worker's hold on a slot. While the worker waits for a nested call it is parked: somebody else may run, so that
/// services which call each other in a circle cannot fill all slots with waiting workers.
pub(crate) struct Slot {
    slots: Arc<dyn Slots>,
    state: Mutex<Hold>,
}

#[derive(Default)]
struct Hold {
    held: bool,
    parked: bool,
    /// A task that the worker spawned can outlive it; it takes no slot any more.
    over: bool,
    /// Nested calls that are waited for at once.
    waits: usize,
}

impl Slot {
    fn new(slots: Arc<dyn Slots>) -> Self {
        Self { slots, state: Mutex::default() }
    }

    fn hold(&self) -> MutexGuard<'_, Hold> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot was taken for this worker.
    pub(crate) fn taken(&self) {
        let mut hold = self.hold();
        if hold.over {
            drop(hold);
            self.slots.release();
        } else if hold.waits > 0 {
            // Another of its nested calls began while this slot was waited for.
            hold.parked = true;
            drop(hold);
            self.slots.park();
        } else {
            hold.held = true;
        }
    }

    /// The worker is over. Doing it twice changes nothing.
    pub(crate) fn release(&self) {
        let mut hold = self.hold();
        hold.over = true;
        if std::mem::take(&mut hold.held) {
            drop(hold);
            self.slots.release();
        }
    }

    /// Gives the slot back for as long as the worker waits for something that another worker has to do.
    pub(crate) fn park(&self) -> Parked<'_> {
        Parked::begin(self)
    }
}

/// A wait of a worker whose slot is free meanwhile. Counted down again also when it is dropped in the middle.
pub(crate) struct Parked<'a>(Option<&'a Slot>);

impl<'a> Parked<'a> {
    fn begin(slot: &'a Slot) -> Self {
        let mut hold = slot.hold();
        hold.waits += 1;
        if std::mem::take(&mut hold.held) {
            hold.parked = true;
            drop(hold);
            slot.slots.park();
        }
        Self(Some(slot))
    }

    /// The wait is over: takes a slot again, where the worker had one.
    ///
    /// Not a combinator around the wait: its future would be kept twice, as the argument and as what is awaited.
    pub(crate) async fn resume(mut self) {
        let Some(slot) = self.0 else { return };
        if self.count_down() {
            slot.slots.acquire().await;
            slot.taken();
        }
    }

    fn count_down(&mut self) -> bool {
        let Some(slot) = self.0.take() else { return false };
        let mut hold = slot.hold();
        hold.waits -= 1;
        if hold.waits > 0 || !std::mem::take(&mut hold.parked) {
            return false;
        }
        let over = hold.over;
        drop(hold);
        slot.slots.unpark();
        !over
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.count_down();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::FutureExt;
    use tokio::sync::Semaphore;

    use super::*;

    /// One slot, and how many are parked.
    struct One(Arc<Semaphore>, AtomicUsize);

    impl Slots for One {
        fn park(&self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.add_permits(1);
        }
        fn unpark(&self) {
            self.1.fetch_sub(1, Ordering::SeqCst);
        }
        fn acquire(&self) -> BoxFuture<'static, ()> {
            let slots = self.0.clone();
            Box::pin(async move { slots.acquire().await.unwrap().forget() })
        }
        fn release(&self) {
            self.0.add_permits(1);
        }
    }

    #[test]
    fn a_slot_that_comes_while_another_nested_call_waits_is_given_back() {
        let one = Arc::new(One(Arc::new(Semaphore::new(0)), AtomicUsize::new(0)));
        let slot = Slot::new(one.clone());
        slot.taken();
        let first = slot.park();
        // Somebody else runs meanwhile, so that the slot has to be waited for.
        one.0.try_acquire().unwrap().forget();
        let mut resumed = Box::pin(first.resume());
        assert!(resumed.as_mut().now_or_never().is_none());
        let second = slot.park();
        one.release();
        assert!(resumed.now_or_never().is_some());
        assert_eq!(
            (one.0.available_permits(), one.1.load(Ordering::SeqCst)),
            (1, 1),
            "the second call waits without it"
        );
        assert!(second.resume().now_or_never().is_some());
        assert_eq!((one.0.available_permits(), one.1.load(Ordering::SeqCst)), (0, 0), "and the worker goes on with it");
        slot.release();
        assert_eq!(one.0.available_permits(), 1);
    }
}
