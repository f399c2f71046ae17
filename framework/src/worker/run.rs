//! One worker: hooks, the method, hooks again. Generic, so that generated code stays small.

use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
};

use futures_util::FutureExt;

use crate::{
    Error,
    context::{WorkerContext, WorkerOutcome},
    dependency::{Dependencies, FromWorker},
    protocol::{ArgError, Args, Fault, ServiceError, decode_args, encode_reply},
    service::{Answer, FaultKind, Outcome, WorkerCall},
};

/// Decodes a call's arguments, or says in the wire's words why they do not fit.
///
/// # Errors
///
/// The outcome to return: `IncorrectSignature` or `MalformedRequest`, or a fault where a `Deserialize` panics: its request
/// would go back to the queue, and panic again, for ever.
pub fn arguments<'de, A: Args<'de>>(call: &'de WorkerCall) -> Result<A, Outcome> {
    match catch_unwind(AssertUnwindSafe(|| decode_args(&call.format, call.context.body()))) {
        Ok(decoded) => decoded.map_err(|error| refuse(&error)),
        Err(panic) => Err(unexpected(Fault::panic(&*panic))),
    }
}

/// The outcome of a call whose arguments do not fit.
#[cold]
pub fn refuse(error: &ArgError) -> Outcome {
    let exc_type = match error {
        ArgError::Malformed(_) => "MalformedRequest",
        ArgError::Signature(_) => "IncorrectSignature",
    };
    Outcome::Fault { fault: Box::new(Fault::nameko(exc_type, error.to_string())), kind: FaultKind::Rejected }
}

/// Makes the value of an `#[inject]` parameter.
///
/// # Errors
///
/// The fault to answer with.
pub async fn inject<S, T: FromWorker<S>>(service: &S, cx: &WorkerContext) -> Result<T, Fault> {
    T::from_worker(service, cx).await
}

/// Runs one worker whose arguments are decoded: setup hooks, the body (`#[inject]` parameters and the method), result hooks, teardown.
///
/// The body is dropped when the worker is cancelled and caught when it panics; the hooks after it run in either case.
/// It comes pinned: a future that is passed on by value is kept once more at each step. And in an `Option`, so that it can be dropped here.
pub async fn run_worker<S: Dependencies>(
    service: &S,
    call: &WorkerCall,
    mut body: Pin<&mut Option<impl Future<Output = Outcome>>>,
) -> Outcome {
    let cx = &call.context;
    let outcome = {
        let work = pin!(async {
            match service.worker_setup(cx).await {
                Ok(()) => body.as_mut().as_pin_mut().expect("nobody took it").await,
                Err(error) => unexpected(error.to_fault()),
            }
        });
        match cx.until_cancelled(AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => unexpected(Fault::panic(&*panic)),
            Err(reason) => Outcome::Cancelled(reason),
        }
    };
    // What a cancelled method holds, a lock perhaps, must not be held while the hooks run.
    let dropped = catch_unwind(AssertUnwindSafe(|| body.set(None)));
    let outcome = match dropped {
        Ok(()) => outcome,
        Err(panic) => fail(outcome, Fault::panic(&*panic)),
    };
    let outcome = match finish(service, cx, &outcome).await {
        None => outcome,
        Some(fault) => fail(outcome, *fault),
    };
    match outcome {
        Outcome::Fault { mut fault, kind } if cx.has_repeated_in_vain() => {
            fault.retryable = Some(false);
            Outcome::Fault { fault, kind }
        }
        outcome => outcome,
    }
}

/// What a method's value becomes.
///
/// Apart from [`run_worker`], so that the types of a method's reply are asked in one plain call: in an `async fn` the compiler
/// tells a missing bound three times.
pub fn answer<T: Answer, E: ServiceError>(call: &WorkerCall, value: Result<T, E>, expected: fn(&E) -> bool) -> Outcome {
    match value {
        Ok(value) => match encode_reply(&call.format, Ok(&value)) {
            Ok(body) => Outcome::Reply(body),
            Err(error) => {
                unexpected(Fault::nameko("UnserializableValueError", format!("Unserializable value: {error}")))
            }
        },
        Err(error) => {
            let kind = if expected(&error) { FaultKind::Expected } else { FaultKind::Unexpected };
            Outcome::Fault { fault: Box::new(error.to_fault()), kind }
        }
    }
}

/// The outcome of a method's own error, where its attribute lists none as expected: one with a code of its own was foreseen.
#[cfg(feature = "http")]
pub(crate) fn failed<E: ServiceError>(error: E) -> Outcome {
    let fault = error.to_fault();
    let kind = if fault.internal { FaultKind::Unexpected } else { FaultKind::Expected };
    Outcome::Fault { fault: Box::new(fault), kind }
}

/// The outcome of a worker that nobody foresaw.
pub fn unexpected(fault: Fault) -> Outcome {
    Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Unexpected }
}

/// The fault of a hook replaces a success; the method's own fault is the better explanation and stays.
#[cold]
fn fail(outcome: Outcome, fault: Fault) -> Outcome {
    match outcome {
        Outcome::Reply(_) | Outcome::Done | Outcome::Batch(_) => unexpected(fault),
        Outcome::Response(response) if response.fault().is_none() => unexpected(fault),
        other => {
            tracing::error!(%fault, "a worker hook failed after its method did");
            other
        }
    }
}

/// Result hooks, then teardown: of the injected parameters in reverse order, then of the service's fields. All of them run, whatever
/// the others do; the first one's failure is told.
async fn finish<S: Dependencies>(service: &S, cx: &WorkerContext, outcome: &Outcome) -> Option<Box<Fault>> {
    let mut outcome = match outcome {
        Outcome::Reply(_) | Outcome::Done => WorkerOutcome::Ok,
        Outcome::Response(response) => match response.fault() {
            Some(fault) => WorkerOutcome::Failed(fault),
            None => WorkerOutcome::Ok,
        },
        Outcome::Failed(verdict) => WorkerOutcome::Failed(verdict.fault()),
        Outcome::Batch(verdicts) => match verdicts.iter().flatten().next() {
            Some(verdict) if verdicts.iter().any(Option::is_none) => WorkerOutcome::Partly(verdict.fault()),
            Some(verdict) => WorkerOutcome::Failed(verdict.fault()),
            None => WorkerOutcome::Ok,
        },
        Outcome::Fault { fault, .. } => WorkerOutcome::Failed(fault),
        Outcome::Cancelled(reason) => WorkerOutcome::Cancelled(*reason),
    };
    let mut hooks = cx.take_hooks();
    let mut first = None;
    let mut failed: Option<Box<Fault>> = None;
    for hook in hooks.iter_mut().rev() {
        if let Some(fault) = failure(hook.result(outcome)).await {
            first.get_or_insert_with(|| fault.clone());
            // The hooks after a failed commit must not take the call for a success.
            outcome = WorkerOutcome::Failed(failed.insert(fault));
        }
    }
    let result = failure(service.worker_result(cx, outcome)).await;
    first = first.or(result);
    for hook in hooks.iter_mut().rev() {
        let torn_down = failure(hook.teardown()).await;
        first = first.or(torn_down);
    }
    let torn_down = failure(service.worker_teardown(cx)).await;
    first.or(torn_down)
}

/// How the hooks of a service's fields went so far: the first one's trouble.
pub type HooksSoFar = Result<(), HookTrouble>;

/// What a hook of a field ended with.
#[derive(Debug)]
pub enum HookTrouble {
    /// It returned an error.
    Error(Error),
    /// It panicked.
    Panic(Box<dyn Any + Send>),
}

/// For the derive: runs one field's hook, whatever the others before it did.
///
/// # Errors
///
/// The first trouble.
pub async fn each_hook(so_far: HooksSoFar, hook: impl Future<Output = Result<(), Error>>) -> HooksSoFar {
    let ended = match AssertUnwindSafe(hook).catch_unwind().await {
        Ok(result) => result.map_err(HookTrouble::Error),
        Err(panic) => Err(HookTrouble::Panic(panic)),
    };
    so_far.and(ended)
}

/// For the derive: all hooks have run.
///
/// # Errors
///
/// The first hook's.
///
/// # Panics
///
/// As the first hook did.
pub fn hooks_over(so_far: HooksSoFar) -> Result<(), Error> {
    so_far.map_err(|trouble| match trouble {
        HookTrouble::Error(error) => error,
        HookTrouble::Panic(panic) => resume_unwind(panic),
    })
}

/// How a hook failed: by its error, or by a panic, which must not keep the other hooks from running.
///
/// No `async fn`: its future would be kept twice, as the argument and as what is awaited.
fn failure(hook: impl Future<Output = Result<(), Error>>) -> impl Future<Output = Option<Box<Fault>>> {
    AssertUnwindSafe(hook).catch_unwind().map(|ended| match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Box::new(error.to_fault())),
        Err(panic) => Some(Box::new(Fault::panic(&*panic))),
    })
}
