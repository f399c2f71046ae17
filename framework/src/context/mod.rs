//! The context of one worker: who called, until when, with what; and the task-local that hands it to the clients used inside.
//!
//! No I/O.

mod cancellation;
mod hook;
pub(crate) mod idempotency;
mod principal;
mod slot;

use std::{
    any::Any,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

#[cfg(feature = "jwt")]
pub(crate) use self::principal::AUTH_TOKEN;
pub use self::{
    cancellation::Cancelled,
    hook::{WorkerHook, WorkerOutcome},
};
use self::{
    cancellation::{Cancellation, UntilCancelled},
    idempotency::IdempotencyKeys,
    principal::Caller,
};
pub(crate) use self::{
    principal::{Principal, USER_ID},
    slot::{Slot, Slots},
};
use crate::{
    observe::{Trace, TraceContext},
    protocol::{Message, Name, Properties, Value, context_data},
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
    attempt: u32,
    deadline: Option<Instant>,
    call_id: OnceLock<String>,
    cancellation: Cancellation,
    slot: Option<Slot>,
    short_path: bool,
    hooks: Mutex<Vec<Box<dyn WorkerHook>>>,
    idempotency: Option<IdempotencyKeys>,
    trace: Option<Trace>,
    /// The place in another trace that it has taken since.
    continued: OnceLock<Trace>,
    extensions: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
    caller: Caller,
    /// A call that it made was repeated, and failed all the same.
    repeated_in_vain: AtomicBool,
}

/// Everything that makes a [`WorkerContext`].
#[derive(Default)]
pub(crate) struct WorkerOrigin {
    pub(crate) service: &'static str,
    pub(crate) entrypoint: &'static str,
    pub(crate) message: Arc<Message>,
    pub(crate) redelivered: bool,
    /// Counted from 1; 0 is taken for the first.
    pub(crate) attempt: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) slots: Option<Arc<dyn Slots>>,
    /// The message's `type` and `app_id` are those of the short path; else they are its sender's own.
    pub(crate) short_path: bool,
    /// Its calls carry keys made of this.
    pub(crate) idempotency: Option<IdempotencyKeys>,
    /// Its place in a trace; `None`: nothing is traced here.
    pub(crate) trace: Option<Trace>,
}

impl WorkerContext {
    pub(crate) fn new(origin: WorkerOrigin) -> Self {
        Self(Arc::new(Inner {
            service: origin.service,
            entrypoint: origin.entrypoint,
            message: origin.message,
            redelivered: origin.redelivered,
            attempt: origin.attempt.max(1),
            deadline: origin.deadline,
            call_id: OnceLock::new(),
            cancellation: Cancellation::default(),
            slot: origin.slots.map(Slot::new),
            short_path: origin.short_path,
            hooks: Mutex::default(),
            idempotency: origin.idempotency,
            trace: origin.trace,
            continued: OnceLock::new(),
            extensions: Mutex::default(),
            caller: Caller::default(),
            repeated_in_vain: AtomicBool::new(false),
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

    /// Runs a piece of a future as part of this worker.
    #[cfg(feature = "http")]
    pub(crate) fn within<T>(&self, piece: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), piece)
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

    /// The same, if anybody has asked for it yet.
    #[cfg(feature = "http")]
    pub(crate) fn used_call_id(&self) -> Option<&str> {
        self.0.call_id.get().map(String::as_str)
    }

    /// The ids of the calls that led here, oldest first, this one last.
    pub fn call_id_stack(&self) -> Vec<String> {
        let mut stack = self.parent_call_ids();
        stack.push(self.call_id().to_owned());
        stack
    }

    /// The ids of the calls that led here, oldest first, without this one. Empty where the caller sent none.
    pub fn parent_call_ids(&self) -> Vec<String> {
        context_data::parent_call_ids(&self.0.message.properties, self.0.short_path)
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
    ///
    /// In a service that looks at tokens `user_id` is whom the caller's verified token names, and nobody while there is none: what the
    /// caller says of itself does not count. Elsewhere it is what the caller says.
    pub fn data(&self) -> impl Iterator<Item = (&str, &Value)> {
        let data = context_data::context_data(&self.0.message.properties.headers);
        let caller = &self.0.caller;
        data.filter(|(key, _)| caller.believes(key)).chain(caller.user_id().map(|user_id| (USER_ID, user_id)))
    }

    /// The service looks at tokens: what the caller says of itself counts no more.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only what a feature adds looks at tokens"))]
    pub(crate) fn ask_tokens(&self) {
        self.0.caller.ask();
    }

    /// Who calls. `None`: the token is not to be believed, or there is none. Said once.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only what a feature adds looks at tokens"))]
    pub(crate) fn set_caller(&self, principal: Option<Arc<dyn Principal>>) {
        self.0.caller.set(principal);
    }

    /// Who calls, once somebody has looked.
    #[cfg_attr(not(feature = "jwt"), allow(dead_code, reason = "only what a feature adds looks at tokens"))]
    pub(crate) fn caller(&self) -> Option<Option<Arc<dyn Principal>>> {
        self.0.caller.known()
    }

    /// A header of the delivery, by its whole name. Headers that do not start with `nameko.` stay with the delivery.
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.0.message.properties.headers.get(name)
    }

    /// The key that the caller gave the call, so that whoever works on it knows it again: see
    /// [`Call::idempotency_key`](crate::client::Call::idempotency_key).
    ///
    /// As a parameter of a method it is an [`IdempotencyKey`](crate::IdempotencyKey).
    pub fn idempotency_key(&self) -> Option<String> {
        context_data::text(self.header(context_data::IDEMPOTENCY_KEY)?)
    }

    /// The id of the trace that the worker belongs to, 32 hexadecimal digits: what a collector of traces knows it by.
    ///
    /// `None` where nothing is traced (`traces.sample` is 0).
    pub fn trace_id(&self) -> Option<String> {
        self.trace().map(|trace| trace.own.trace_id())
    }

    /// The worker's place in its trace, as W3C's header `traceparent` says it: for what is called by other means than kinoko's clients,
    /// which pass it on by themselves.
    ///
    /// Where nothing is traced it is what came with the message, if anything did.
    pub fn trace_parent(&self) -> Option<String> {
        match self.trace() {
            Some(trace) => Some((*trace.own.header()).to_owned()),
            None => context_data::trace_parent(&self.0.message.properties, self.0.short_path).map(str::to_owned),
        }
    }

    /// Makes the worker part of a trace that was kept, as [`trace_parent`](Self::trace_parent) gave it: so that a timer which takes up what
    /// an event left in a table goes on with the trace of that event. The worker and what it calls from here on belong to it.
    ///
    /// Returns whether it does: not where the text is no `traceparent`, where nothing is traced, and not for a worker that
    /// has its trace from its caller, or has taken up one before.
    ///
    /// ```
    /// # use kinoko::prelude::*;
    /// # #[derive(Dependencies)] struct Reminders;
    /// # fn due() -> Vec<(u64, String)> { Vec::new() }
    /// #[service(name = "reminders")]
    /// impl Reminders {
    ///     #[timer(every = "10s")]
    ///     async fn send(&self, #[inject] cx: WorkerContext) {
    ///         for (_id, trace_parent) in due().into_iter().take(1) {
    ///             cx.continue_trace(&trace_parent);
    ///         }
    ///     }
    /// }
    /// ```
    pub fn continue_trace(&self, trace_parent: &str) -> bool {
        let (Some(Trace { own, parent: None }), Some(kept)) = (self.0.trace, TraceContext::parse(trace_parent)) else {
            return false;
        };
        let own = TraceContext { span_id: own.span_id, ..kept };
        self.0.continued.set(Trace { own, parent: Some(kept.span_id) }).is_ok()
    }

    pub(crate) fn trace(&self) -> Option<Trace> {
        self.0.continued.get().copied().or(self.0.trace)
    }

    /// Whether the delivery may have been given to a worker before.
    pub fn redelivered(&self) -> bool {
        self.0.redelivered
    }

    /// Which attempt at this message it is, counted from 1. Always 1 for calls and timers.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Adds a hook that runs when the method is over: how an `#[inject]` parameter such as a transaction learns the outcome.
    /// Hooks run in reverse order.
    pub fn attach(&self, hook: impl WorkerHook) {
        self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    pub(crate) fn take_hooks(&self) -> Vec<Box<dyn WorkerHook>> {
        std::mem::take(&mut *self.0.hooks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps something for the rest of the worker, for others to find by its type.
    #[cfg_attr(not(feature = "sql"), allow(dead_code, reason = "only what a feature adds keeps anything"))]
    pub(crate) fn extend(&self, value: Arc<dyn Any + Send + Sync>) {
        self.0.extensions.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }

    /// What was kept of a type, the first of it.
    #[cfg_attr(not(feature = "sql"), allow(dead_code, reason = "only what a feature adds keeps anything"))]
    pub(crate) fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let extensions = self.0.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        extensions.iter().find_map(|value| value.clone().downcast().ok())
    }

    /// Writes what a nested call takes along: the context data, the trace, and the call-id stack with this worker on top.
    pub(crate) fn pass_on(
        &self,
        properties: &mut Properties,
        parents_tracked: usize,
        short_path: bool,
        span: Option<Trace>,
    ) {
        for (key, value) in self.data() {
            let name = if key == principal::AUTH_TOKEN {
                Name::from_static(context_data::TOKEN_HEADER)
            } else {
                format!("{}{key}", context_data::PREFIX).into()
            };
            context_data::write_header(properties, name, value, short_path);
        }
        for name in context_data::TRACE_COMPANIONS {
            if let Some(value) = self.header(name) {
                properties.headers.set(name, value.clone());
            }
        }
        if let Some(trace) = span.or_else(|| self.trace()) {
            context_data::write_trace_parent(properties, &trace.own.header(), short_path);
        } else if let Some(trace_parent) = self.trace_parent() {
            context_data::write_trace_parent(properties, &trace_parent, short_path);
        }
        let mut stack = self.call_id_stack();
        stack.drain(..stack.len().saturating_sub(parents_tracked.saturating_add(1)));
        context_data::write_stack(properties, stack, short_path);
    }

    /// A call that it made was repeated, and failed all the same: its own caller is to repeat nothing, or each layer would multiply the load.
    pub(crate) fn repeated_in_vain(&self) {
        self.0.repeated_in_vain.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_repeated_in_vain(&self) -> bool {
        self.0.repeated_in_vain.load(Ordering::Relaxed)
    }

    /// Ends the method at its next await: its future is dropped, hooks run.
    pub(crate) fn cancel(&self, reason: Cancelled) {
        self.0.cancellation.cancel(reason);
    }

    /// What fired it.
    pub(crate) fn message(&self) -> &Arc<Message> {
        &self.0.message
    }

    /// The request's body, still encoded.
    pub(crate) fn body(&self) -> &[u8] {
        &self.0.message.body
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
