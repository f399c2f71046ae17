//! The way of one worker whose method is idempotent.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::AbortHandle, time::sleep};

use super::{
    Inbox, Times,
    claim::{Claim, Known},
    fingerprint::fingerprint,
    identity::Identity,
    kept::Kept,
    turns::Turn,
};
use crate::{
    Error, Result,
    context::{Slot, WorkerContext},
    dependency::Dependencies,
    event::{Action, Verdict},
    protocol::{Fault, Param, ServiceError, context_data},
    service::{FaultKind, Outcome, WorkerCall},
    sql::{Database, backend::Backend},
    worker::{run_worker, unexpected},
};

/// What `idempotent` says of an entrypoint.
#[derive(Debug, Clone, Copy)]
pub struct Idempotent {
    /// The parameters of a method that is called; `None`: a message fires it.
    pub params: Option<&'static [Param]>,
    /// How long an answer is kept; `None`: the setting `idempotency.window`.
    pub window: Option<Duration>,
    /// Whether what has no key is refused.
    pub required: bool,
}

/// One run of it.
#[derive(Debug)]
pub struct Once {
    rules: Idempotent,
    returned: AtomicBool,
}

impl Once {
    /// Before it has begun.
    pub fn new(rules: Idempotent) -> Self {
        Self { rules, returned: AtomicBool::new(false) }
    }

    /// The method has returned, so that what comes of it is its own doing.
    pub fn returned(&self, outcome: Outcome) -> Outcome {
        self.returned.store(true, Ordering::Relaxed);
        outcome
    }

    fn identify(&self, call: &WorkerCall) -> Option<Identity> {
        match self.rules.params {
            Some(_) => Identity::of_call(&call.context),
            None => Identity::of_message(&call.context),
        }
    }

    /// A request that is wrong, however often it comes.
    fn refuse(&self, fault: Fault) -> Outcome {
        match self.rules.params {
            Some(_) => Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Rejected },
            None => Outcome::Failed(Verdict::new(Action::DeadLetter, fault)),
        }
    }

    /// A run that has done nothing, or nothing that stays: the next one may do better.
    fn fail(&self, mut fault: Fault) -> Outcome {
        fault.retryable = Some(true);
        fault.http = Some(503);
        fault.grpc = Some("UNAVAILABLE".into());
        match self.rules.params {
            Some(_) => unexpected(fault),
            None => Outcome::Failed(Verdict::new(Action::Retry, fault)),
        }
    }

    fn without_key(&self, cx: &WorkerContext) -> Outcome {
        let method = format_args!("`{}.{}`", cx.service(), cx.entrypoint());
        self.refuse(match self.rules.params {
            Some(_) => {
                let header = context_data::IDEMPOTENCY_KEY;
                let text = format!(
                    "{method} takes no call without an idempotency key: send the header `{header}`, `.idempotency_key(…)` on a client's call"
                );
                Fault::nameko("MalformedRequest", text)
            }
            None => {
                let text = format!("{method} takes no message without a message id, by which it would know it again");
                Fault::internal("NoMessageId", text)
            }
        })
    }

    fn reused(&self, identity: &Identity) -> Outcome {
        let (what, key) = match self.rules.params {
            Some(_) => ("idempotency key", &identity.key),
            None => ("message id", &identity.key),
        };
        let text = format!(
            "the {what} `{key}` was used before with other arguments: one that asks for something else needs a key of its own"
        );
        self.refuse(Fault {
            exc_type: "IdempotencyKeyReused".into(),
            exc_path: "kinoko.IdempotencyKeyReused".into(),
            exc_args: vec![text.clone().into()],
            value: text,
            code: Some("IDEMPOTENCY_KEY_REUSED".into()),
            retryable: Some(false),
            http: Some(422),
            grpc: Some("INVALID_ARGUMENT".into()),
            ..Fault::default()
        })
    }
}

/// Runs one worker whose arguments are decoded, if nobody has done the same: else its answer is that one's, and neither hooks nor method
/// run. While another run is at it, it waits, and its slot is free.
///
/// `body` is the `#[inject]` parameters and the method, as for [`run_worker`].
pub async fn run_once<D: Backend, S: Dependencies>(
    once: &Once,
    database: &Database<D>,
    service: &S,
    call: &WorkerCall,
    body: impl Future<Output = Outcome>,
) -> Outcome {
    let cx = &call.context;
    let Some(identity) = once.identify(call) else {
        if once.rules.required {
            return once.without_key(cx);
        }
        let (service_name, method) = (cx.service(), cx.entrypoint());
        tracing::debug!(service = service_name, method, "no idempotency key, so it runs as often as it comes");
        return run_worker(service, call, pin!(Some(body))).await;
    };
    let times = match Box::pin(database.remembering(Times::DEFAULT)).await {
        Ok(times) => times,
        Err(error) => return once.fail(error.to_fault()),
    };
    let hash = fingerprint(call, once.rules.params, &identity);
    let claim = Arc::new(Claim::new(database, identity, hash, times.lease));
    let inbox = &database.0.inbox;
    let run = match cx.until_cancelled(Box::pin(begin(&claim, inbox, cx))).await {
        Ok(Ok(begun)) => begun,
        Ok(Err(error)) => {
            end(&claim).await;
            return once.fail(error.to_fault());
        }
        Err(reason) => {
            end(&claim).await;
            return Outcome::Cancelled(reason);
        }
    };
    let (turn, renewal) = match run {
        Begun::Run(turn, renewal) => (turn, renewal),
        Begun::Kept(kept) => {
            tracing::debug!(service = cx.service(), method = cx.entrypoint(), "answered with what was kept");
            return kept.outcome(call);
        }
        Begun::Reused => return once.reused(claim.identity()),
    };
    let window = once.rules.window.unwrap_or(times.window);
    let is_kept = AtomicBool::new(false);
    let work = async {
        let outcome = body.await;
        match keep_with_effect(&claim, &outcome, call, window).await {
            Ok(None) => outcome,
            Ok(Some(true)) => {
                is_kept.store(true, Ordering::Relaxed);
                outcome
            }
            Ok(Some(false)) => once.fail(lost(&claim)),
            Err(error) => once.fail(error.to_fault()),
        }
    };
    let outcome = run_worker(service, call, pin!(Some(work))).await;
    drop(renewal);
    let returned = once.returned.load(Ordering::Relaxed);
    Box::pin(settle(&claim, &outcome, call, window, returned, is_kept.into_inner())).await;
    drop(turn);
    outcome
}

/// How a run begins.
enum Begun {
    Run(Turn, Renewal),
    Kept(Kept),
    Reused,
}

/// How long to wait before another process is asked again whether its run is over; it doubles up to the second.
const POLLS: [Duration; 2] = [Duration::from_millis(25), Duration::from_millis(500)];

/// Waits until nobody else is at the key.
async fn begin<D: Backend>(claim: &Arc<Claim<D>>, inbox: &Inbox, cx: &WorkerContext) -> Result<Begun> {
    let park = || cx.slot().map(Slot::park);
    let mut parked = None;
    let mut turn = inbox.turns.stand(claim.identity().clone());
    if !turn.has_come() {
        parked = park();
        turn.come().await;
    }
    let [mut pause, longest] = POLLS;
    let mut seen = false;
    let begun = loop {
        match claim.take(seen).await? {
            Known::Free => break Begun::Run(turn, Renewal::of(claim, cx)),
            Known::Kept(kept) => break Begun::Kept(kept),
            Known::Reused => break Begun::Reused,
            Known::InFlight => {
                if parked.is_none() {
                    parked = park();
                }
                seen = true;
                sleep(pause).await;
                pause = longest.min(pause * 2);
            }
        }
    };
    if let Some(parked) = parked {
        parked.resume().await;
    }
    Ok(begun)
}

/// Keeps a success in the transaction of the worker, before it is committed. `None`: there is none, or nothing to keep.
async fn keep_with_effect<D: Backend>(
    claim: &Claim<D>,
    outcome: &Outcome,
    call: &WorkerCall,
    window: Duration,
) -> Result<Option<bool>> {
    let (Outcome::Reply(_) | Outcome::Done, Some(slot)) = (outcome, claim.slot(&call.context)) else { return Ok(None) };
    match Kept::of(outcome, &call.format, true)? {
        Some(kept) => claim.keep_with(&slot, &kept, window).await,
        None => Ok(None),
    }
}

#[cold]
fn lost<D: Backend>(claim: &Claim<D>) -> Fault {
    let text = format!(
        "this run gave no sign of life for {:?} (idempotency.lease), so another one has taken its key: it is rolled back",
        claim.lease()
    );
    Fault { code: Some("IDEMPOTENCY_LEASE_LOST".into()), ..Fault::internal("LeaseLost", text) }
}

/// After the hooks: keeps what is not kept yet, or lets the next run begin.
async fn settle<D: Backend>(
    claim: &Claim<D>,
    outcome: &Outcome,
    call: &WorkerCall,
    window: Duration,
    returned: bool,
    is_kept: bool,
) {
    let kept = match Kept::of(outcome, &call.format, returned) {
        // It went with the commit.
        Ok(Some(_)) if is_kept && matches!(outcome, Outcome::Reply(_) | Outcome::Done) => return,
        Ok(kept) => kept,
        Err(error) => return forgotten(claim, &error),
    };
    let Some(kept) = kept else { return end(claim).await };
    match in_time(claim, claim.keep(&kept, window)).await {
        Ok(true) => {}
        Ok(false) => forgotten(claim, &Error::msg("another run has taken its key meanwhile")),
        Err(error) => forgotten(claim, &error),
    }
}

/// The answer is right, and its caller gets it; only the next one does not.
#[cold]
fn forgotten<D: Backend>(claim: &Claim<D>, error: &Error) {
    let Identity { service, method, key, .. } = claim.identity();
    tracing::error!(
        service,
        method,
        key,
        error = error.chain(),
        "the answer could not be kept, so the next run runs again"
    );
}

/// Lets the next run begin. Where that fails it begins when the lease is over.
async fn end<D: Backend>(claim: &Claim<D>) {
    if let Err(error) = in_time(claim, claim.release()).await {
        let Identity { service, method, key, .. } = claim.identity();
        tracing::warn!(
            service,
            method,
            key,
            error = error.chain(),
            "the key could not be released before its lease is over"
        );
    }
}

/// A database that does not answer holds no worker up for longer than its lease lasts.
async fn in_time<D: Backend>(claim: &Claim<D>, statement: impl Future<Output = Result<bool>>) -> Result<bool> {
    match tokio::time::timeout(claim.lease(), statement).await {
        Ok(done) => done,
        Err(_) => Err(Error::msg(format!("the database did not answer for {:?}", claim.lease()))),
    }
}

/// Renews the lease while it is held.
struct Renewal(AbortHandle);

impl Renewal {
    fn of<D: Backend>(claim: &Arc<Claim<D>>, cx: &WorkerContext) -> Self {
        let (claim, cx) = (claim.clone(), cx.clone());
        // A task, since a method may block its thread.
        let renewing = crate::spawn(async move {
            loop {
                sleep(claim.lease() / 3).await;
                if claim.is_locked_by(&cx) {
                    continue;
                }
                let Identity { service, method, key, .. } = claim.identity();
                match claim.renew().await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::warn!(service, method, key, "the lease of a run was lost to another one");
                        return;
                    }
                    Err(error) => {
                        tracing::warn!(service, method, key, error = error.chain(), "a lease could not be renewed");
                    }
                }
            }
        });
        Self(renewing.abort_handle())
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}
