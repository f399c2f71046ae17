//! What is shown of a saga: how it stands and what happened, and nothing of what it is about.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::saga::{Ask, HostedSaga, Instance, SagaStatus, StepProgress, StepState, TimelineEntry};

/// One saga in a list. `hosted` are those that this process knows the steps of.
pub(super) fn line(saga: &Instance, hosted: &[HostedSaga]) -> Value {
    let progress = &saga.progress;
    let failure = progress.failure.as_ref().map(|failure| {
        json!({
            "reason": failure.reason,
            "step": failure.step,
            "code": failure.fault.code,
            // Its words; its fields are of the same kind as a step's output.
            "error": failure.fault.to_string(),
        })
    });
    json!({
        "saga": saga.id.saga,
        "id": saga.id.id,
        "service": saga.service,
        "state": saga.state,
        "step": standing(saga),
        "parked": progress.parked,
        "failure": failure,
        "started_at": time(saga.started_at_ms),
        "updated_at": time(saga.updated_at_ms),
        "asks": asks(saga, hosted),
    })
}

/// All that is told of one.
pub(super) fn whole(status: &SagaStatus, hosted: &[HostedSaga]) -> Value {
    let saga = &status.instance;
    let mut whole = line(saga, hosted);
    whole["version"] = saga.version.into();
    whole["owner"] = json!(saga.owner);
    whole["steps"] = saga.progress.steps.iter().map(step).collect();
    // The runner's own say what was asked; the timeline tells what became of it.
    whole["signals"] = saga
        .signals
        .iter()
        .map(|signal| json!({ "number": signal.number, "name": signal.name, "taken": is_taken(saga, signal.number) }))
        .collect();
    whole["timeline"] = status.timeline.iter().map(entry).collect();
    whole
}

/// The step where it stands.
fn standing(saga: &Instance) -> Option<&str> {
    if let Some(parked) = &saga.progress.parked {
        return parked.step.as_deref();
    }
    let is_here =
        |step: &&StepProgress| matches!(step.state, StepState::Waiting | StepState::Running | StepState::Compensating);
    saga.progress.steps.iter().find(is_here).map(|step| &*step.name)
}

/// What may be asked of it: what makes sense as it stands.
fn asks(saga: &Instance, hosted: &[HostedSaga]) -> Vec<&'static str> {
    let is_taken = |ask: &Ask| ask.check(saga).is_ok();
    // Asked of one that goes back already, or cannot any more, it would change nothing.
    let has_effect =
        |ask: &Ask| *ask != Ask::Cancel || (saga.progress.failure.is_none() && !is_past_pivot(saga, hosted));
    let asks = [Ask::Retry, Ask::Skip, Ask::Cancel].into_iter().filter(is_taken).filter(has_effect);
    asks.map(Ask::as_str).collect()
}

/// Whether there is no going back, as far as this process knows its steps.
fn is_past_pivot(saga: &Instance, hosted: &[HostedSaga]) -> bool {
    let known =
        hosted.iter().filter(|hosted| hosted.info().name == saga.id.saga).flat_map(|hosted| hosted.info().steps);
    known.filter(|step| step.pivot).any(|pivot| {
        let is_over = |step: &StepProgress| matches!(step.state, StepState::Done | StepState::Skipped);
        saga.progress.steps.iter().any(|step| step.name == pivot.name && is_over(step))
    })
}

fn step(step: &StepProgress) -> Value {
    json!({
        "name": step.name,
        "state": step.state,
        "attempts": step.attempts,
        "compensations": step.compensations,
        "unknown": step.unknown,
        "error": step.error,
    })
}

fn is_taken(saga: &Instance, number: u64) -> bool {
    saga.progress.taken.contains(&number) || saga.progress.steps.iter().any(|step| step.signal == Some(number))
}

fn entry(entry: &TimelineEntry) -> Value {
    json!({
        "number": entry.number,
        "at": time(entry.at_ms),
        "what": entry.what.what,
        "step": entry.what.step,
        "attempt": entry.what.attempt,
        "detail": entry.what.detail,
    })
}

/// As `/info` writes times, to the millisecond.
fn time(unix_ms: u64) -> Option<String> {
    let time = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    Some(format!("{time:.3}"))
}
