//! One worker: hooks, the method, hooks again. Generic, so that generated code stays small.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
};

use futures_util::FutureExt;

use crate::{
    Error,
    context::{WorkerContext, WorkerOutcome},
    dependency::{Dependencies, FromWorker},
    protocol::{ArgError, Args, Fault, ServiceError, decode_args, encode_reply},
    service::{Answer, Outcome, WorkerCall},
};

/// Decodes a call's arguments, or says in the wire's words why they do not fit.
///
/// # Errors
///
/// The outcome to return: `IncorrectSignature` or `MalformedRequest`, or a fault where a `Deserialize` panics: its request
/// would go back to the queue, and panic again, for ever.
pub fn arguments<'de, A: Args<'de>>(call: &'de WorkerCall) -> Result<A, Outcome> {
    match catch_unwind(AssertUnwindSafe(|| decode_args(&call.format, &call.body))) {
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
    Outcome::Fault { fault: Box::new(Fault::nameko(exc_type, error.to_string())), expected: true }
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
pub async fn run_worker<S: Dependencies>(
    service: &S,
    call: &WorkerCall,
    body: impl Future<Output = Outcome>,
) -> Outcome {
    let cx = &call.context;
    // Pinned first: moved into `work`, it would be kept twice more.
    let body = pin!(body);
    let work = pin!(async {
        match service.worker_setup(cx).await {
            Ok(()) => body.await,
            Err(error) => unexpected(error.to_fault()),
        }
    });
    let outcome = match cx.until_cancelled(AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => unexpected(Fault::panic(&*panic)),
        Err(reason) => Outcome::Cancelled(reason),
    };
    let hooks = AssertUnwindSafe(finish(service, cx, &outcome));
    match hooks.catch_unwind().await {
        Ok(Ok(())) => outcome,
        Ok(Err(error)) => fail(outcome, error.to_fault()),
        Err(panic) => fail(outcome, Fault::panic(&*panic)),
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
        Err(error) => Outcome::Fault { fault: Box::new(error.to_fault()), expected: expected(&error) },
    }
}

/// The outcome of a worker that nobody foresaw.
pub fn unexpected(fault: Fault) -> Outcome {
    Outcome::Fault { fault: Box::new(fault), expected: false }
}

/// The fault of a hook replaces a success; the method's own fault is the better explanation and stays.
#[cold]
fn fail(outcome: Outcome, fault: Fault) -> Outcome {
    match outcome {
        Outcome::Reply(_) => unexpected(fault),
        other => {
            tracing::error!(%fault, "a worker hook failed after its method did");
            other
        }
    }
}

/// Result hooks, then teardown: of the injected parameters in reverse order, then of the service's fields. All of them run; the first error is told.
async fn finish<S: Dependencies>(service: &S, cx: &WorkerContext, outcome: &Outcome) -> Result<(), Error> {
    let mut outcome = match outcome {
        Outcome::Reply(_) => WorkerOutcome::Ok,
        Outcome::Fault { fault, .. } => WorkerOutcome::Failed(fault),
        Outcome::Cancelled(reason) => WorkerOutcome::Cancelled(*reason),
    };
    let mut hooks = cx.take_hooks();
    let mut first_error = None;
    let mut failed: Option<Box<Fault>> = None;
    for hook in hooks.iter_mut().rev() {
        if let Err(error) = hook.result(outcome).await {
            // The hooks after a failed commit must not take the call for a success.
            let fault = failed.insert(Box::new(error.to_fault()));
            first_error.get_or_insert(error);
            outcome = WorkerOutcome::Failed(fault);
        }
    }
    let result = service.worker_result(cx, outcome).await;
    first_error = first_error.or(result.err());
    for hook in hooks.iter_mut().rev() {
        first_error = first_error.or(hook.teardown().await.err());
    }
    let torn_down = service.worker_teardown(cx).await;
    match first_error.or(torn_down.err()) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
