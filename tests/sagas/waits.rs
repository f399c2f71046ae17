use kinoko::{
    prelude::*,
    saga::{FailureReason, SagaError, SagaState},
    testing,
};
use serde::{Deserialize, Serialize};

use super::{Journal, timeline};

#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
}

#[derive(Dependencies)]
struct Publish {
    journal: Journal,
}

#[saga(name = "publish", input = String)]
impl Publish {
    #[step(compensate = withdraw)]
    fn submit(&self, text: &String) -> usize {
        self.journal.note(format!("submit {text}"));
        text.len()
    }

    fn withdraw(&self, length: usize, text: &String) {
        self.journal.note(format!("withdraw {text}, {length}"));
    }

    #[wait(signal = "approve", timeout = "24h")]
    async fn approved(&self, approval: Approval, text: &String) -> Result<bool, super::ShopError> {
        self.journal.attempt("approved", format!("{text} approved by {}", approval.by)).await?;
        Ok(true)
    }
}

fn publish() -> (Saga<Publish>, Journal) {
    let journal = Journal::default();
    (testing::saga(Publish { journal: journal.clone() }), journal)
}

fn by(name: &str) -> Approval {
    Approval { by: name.into() }
}

#[tokio::test(start_paused = true)]
async fn a_step_waits_for_its_signal() {
    let (saga, journal) = publish();
    let handle = saga.start("a", "ode".into()).await.unwrap();
    while journal.lines().is_empty() || saga.status("a").await.unwrap().unwrap().instance.owner.is_some() {
        tokio::task::yield_now().await;
    }
    let waiting = saga.status("a").await.unwrap().unwrap();
    assert_eq!(waiting.instance.state, SagaState::Running);
    assert_eq!(timeline(&waiting).last().unwrap(), "waits approved: signal `approve`");
    handle.signal("approve", by("Ada")).await.unwrap();
    assert!(handle.await.unwrap());
    assert_eq!(journal.lines(), ["submit ode", "ode approved by Ada"]);
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_came_before_is_taken() {
    let (saga, journal) = publish();
    let handle = saga.start("a", "ode".into()).await.unwrap();
    // Nothing has run yet: tests have one thread.
    handle.signal("approve", by("Ada")).await.unwrap();
    handle.signal("approve", by("Bob")).await.unwrap();
    assert!(handle.await.unwrap());
    assert_eq!(journal.lines(), ["submit ode", "ode approved by Ada"]);
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_does_not_come_sends_the_saga_back() {
    let (saga, journal) = publish();
    let began = tokio::time::Instant::now();
    let error = saga.start("a", "ode".into()).await.unwrap().await.unwrap_err();
    assert!(matches!(error, SagaError::Compensated { reason: FailureReason::TimedOut, .. }));
    assert_eq!(error.to_string(), "step `approved`: Timeout: no signal `approve` came in time");
    assert!(began.elapsed().as_secs() >= 24 * 60 * 60);
    assert_eq!(journal.lines(), ["submit ode", "withdraw ode, 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_no_step_can_take_is_refused() {
    let (saga, _) = publish();
    let handle = saga.start("a", "ode".into()).await.unwrap();
    let error = handle.signal("aprove", by("Ada")).await.unwrap_err();
    assert_eq!(error.to_string(), "no step waits for a signal `aprove`: its steps wait for `approve`");
    let error = handle.signal("approve", 7).await.unwrap_err();
    assert!(error.to_string().starts_with("signal `approve` cannot carry this: the signal cannot be read"), "{error}");
    let error = saga.signal("b", "approve", by("Ada")).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no saga `b`");
    handle.signal("approve", by("Ada")).await.unwrap();
    handle.await.unwrap();
    let error = saga.signal("a", "approve", by("Ada")).await.unwrap_err();
    assert_eq!(error.to_string(), "saga `a` is completed");
}
