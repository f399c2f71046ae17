//! Steps as workers: what a runner calls, whatever the saga's type.

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc};

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::Instrument;

use super::definition::{Definition, Misfit, Ran, SagaInfo, StepKey, Undone, Values};
use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext, WorkerOrigin, idempotency::IdempotencyKeys},
    dependency::Dependencies,
    observe::{self, Trace},
    protocol::{Certainty, Fault, Message, Properties, Value},
    service::{FaultKind, Outcome, WorkerCall},
    worker::{log, run_worker, unexpected},
};

/// The steps of a saga, as its runner calls them.
#[async_trait]
pub(crate) trait Steps: Send + Sync {
    fn info(&self) -> &'static SagaInfo;
    fn condition(&self, step: usize, values: &Values<'_>) -> Result<bool, Misfit>;
    fn read_signal(&self, step: usize, payload: &Value) -> Result<(), Misfit>;
    async fn run(&self, step: usize, values: &Values<'_>, attempt: Attempt) -> Ran;
    async fn undo(&self, step: usize, values: &Values<'_>, attempt: Attempt) -> Undone;
}

/// One attempt at a step or a compensation: what its worker's context is made of.
pub(crate) struct Attempt {
    pub(super) service: &'static str,
    pub(super) method: &'static str,
    pub(super) key: StepKey,
    pub(super) number: u32,
    pub(super) deadline: Instant,
    pub(super) message: Arc<Message>,
    pub(super) seen: Arc<observe::Entrypoint>,
}

impl Attempt {
    fn context(&self, trace: Option<Trace>) -> WorkerContext {
        WorkerContext::new(WorkerOrigin {
            service: self.service,
            entrypoint: self.method,
            message: self.message.clone(),
            redelivered: self.number > 1,
            attempt: self.number,
            deadline: Some(self.deadline),
            idempotency: Some(IdempotencyKeys::new(self.key.as_str().to_owned())),
            trace,
            ..WorkerOrigin::default()
        })
    }
}

/// The context of who started a saga, as the message that its workers take theirs from.
pub(super) fn message(context: &serde_json::Map<String, Value>) -> Arc<Message> {
    let mut properties = Properties::default();
    for (name, value) in context {
        properties.headers.set(name.clone(), value.clone());
    }
    Arc::new(Message { properties, ..Message::default() })
}

/// The same, of the current worker: what a call would take along.
pub(super) fn current_context() -> serde_json::Map<String, Value> {
    let mut properties = Properties::default();
    if let Some(context) = WorkerContext::current() {
        context.pass_on(&mut properties, crate::protocol::context_data::PARENT_CALLS_TRACKED, false, None);
    }
    let headers: BTreeMap<String, Value> =
        properties.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
    headers.into_iter().collect()
}

/// A saga's struct, set up.
pub(crate) struct Hosted<P>(pub(crate) P);

#[async_trait]
impl<P: Definition> Steps for Hosted<P> {
    fn info(&self) -> &'static SagaInfo {
        P::SAGA
    }

    fn condition(&self, step: usize, values: &Values<'_>) -> Result<bool, Misfit> {
        self.0.condition(step, values)
    }

    fn read_signal(&self, step: usize, payload: &Value) -> Result<(), Misfit> {
        P::read_signal(step, payload)
    }

    async fn run(&self, step: usize, values: &Values<'_>, attempt: Attempt) -> Ran {
        let mut ran = None;
        let mut begun = false;
        let body = async {
            begun = true;
            let ended = self.0.step(step, values).await;
            let outcome = match &ended {
                Ran::Done(_) => Outcome::Done,
                Ran::Failed { fault, .. } => Outcome::Fault { fault: fault.clone(), kind: FaultKind::Expected },
                Ran::Misfit(Misfit(why)) => unexpected(Fault::internal("Misfit", why.clone())),
            };
            ran = Some(ended);
            outcome
        };
        let outcome = worker(&self.0, attempt, body).await;
        // A hook may fail after the method is done: a transaction that is not committed, perhaps.
        match (ran, unforeseen(&outcome)) {
            (Some(Ran::Done(_)), Some(fault)) => Ran::Failed { certainty: Certainty::Unknown, fault },
            (Some(ran), _) => ran,
            (None, fault) => {
                let certainty = if begun { Certainty::Unknown } else { Certainty::NotSent };
                Ran::Failed { certainty, fault: fault.unwrap_or_default() }
            }
        }
    }

    async fn undo(&self, step: usize, values: &Values<'_>, attempt: Attempt) -> Undone {
        let mut undone = None;
        let body = async {
            let ended = self.0.compensation(step, values).await;
            let outcome = match &ended {
                Undone::Done => Outcome::Done,
                Undone::Failed(verdict) => Outcome::Failed((**verdict).clone()),
                Undone::Misfit(Misfit(why)) => unexpected(Fault::internal("Misfit", why.clone())),
            };
            undone = Some(ended);
            outcome
        };
        let outcome = worker(&self.0, attempt, body).await;
        match (undone, unforeseen(&outcome)) {
            (None | Some(Undone::Done), Some(fault)) => Undone::Failed(Box::new(crate::Verdict::of_fault(*fault))),
            (undone, _) => undone.unwrap_or(Undone::Done),
        }
    }
}

/// What went wrong beside the method's own answer.
fn unforeseen(outcome: &Outcome) -> Option<Box<Fault>> {
    match outcome {
        Outcome::Fault { fault, .. } => Some(fault.clone()),
        Outcome::Cancelled(reason) => Some(Box::new(Fault::internal("Timeout", reason.to_string()))),
        _ => None,
    }
}

/// Runs one worker, to its deadline at most.
async fn worker<P: Dependencies>(service: &P, attempt: Attempt, body: impl Future<Output = Outcome> + Send) -> Outcome {
    let watch = attempt.seen.arrived();
    let context = attempt.context(watch.trace(&attempt.message.properties, false));
    let call = WorkerCall::new(0, Format::Json, context.clone());
    let mut body = pin!(Some(body));
    let running = run_worker(service, &call, body.as_mut());
    let running = async {
        let mut running = pin!(running);
        tokio::select! {
            outcome = &mut running => outcome,
            () = tokio::time::sleep_until(attempt.deadline) => {
                context.cancel(Cancelled::DeadlinePassed);
                running.await
            }
        }
    };
    let scoped = context.clone().scope(running);
    let outcome = match log::span(&context) {
        Some(span) => scoped.instrument(span).await,
        None => scoped.await,
    };
    watch.end(&context, &outcome);
    outcome
}
