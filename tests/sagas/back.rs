use kinoko::{
    prelude::*,
    saga::{FailureReason, SagaError, SagaRefusal, SagaState},
    testing,
};

use super::{Journal, Plan, ShopError, order, place_order, timeline};

#[tokio::test(start_paused = true)]
async fn what_was_done_is_taken_back_in_reverse_order() {
    let (saga, journal) = place_order();
    journal.plan("pack", &[Plan::Refuse]);
    let error = saga.start("17", order(30)).await.unwrap().await.unwrap_err();
    assert_eq!(error.to_string(), "step `pack`: Refused: pack was refused");
    assert_eq!(error.error::<ShopError>(), Some(ShopError::Refused { what: "pack".into() }));
    assert_eq!(journal.lines(), ["reserve lamp", "charge 30 for lamp", "pack lamp", "refund 30 of 30", "release lamp"]);
    let status = saga.status("17").await.unwrap().unwrap();
    assert_eq!(status.instance.state, SagaState::Compensated);
    assert_eq!(
        timeline(&status)[6..],
        [
            "failed pack: Refused: pack was refused",
            "goes_back pack: Refused: pack was refused",
            "compensating charge",
            "undone charge",
            "compensating reserve",
            "undone reserve",
            "compensated",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_did_not_happen_is_not_taken_back() {
    let (saga, journal) = place_order();
    journal.plan("charge", &[Plan::Refuse]);
    saga.start("17", order(30)).await.unwrap().await.unwrap_err();
    assert_eq!(journal.lines(), ["reserve lamp", "charge 30 for lamp", "release lamp"]);
    journal.plan("reserve", &[Plan::Refuse]);
    saga.start("18", order(30)).await.unwrap().await.unwrap_err();
    assert_eq!(journal.lines()[3..], ["reserve lamp"]);
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_fails_is_run_again() {
    let (saga, journal) = place_order();
    journal.plan("pack", &[Plan::Refuse]).plan("release", &[Plan::Refuse, Plan::Panic]);
    let error = saga.start("17", order(0)).await.unwrap().await.unwrap_err();
    assert!(matches!(error, SagaError::Compensated { reason: FailureReason::Failed, .. }));
    assert_eq!(journal.lines()[2..], ["release lamp"; 3]);
}

/// Two steps that wait in the test's hand.
#[derive(Dependencies)]
struct Held {
    journal: Journal,
}

#[saga(name = "held", timeout = "1m")]
impl Held {
    #[step(compensate = undo)]
    async fn begin(&self, gate: &u32) -> Result<String, ShopError> {
        self.journal.attempt("begin", format!("begin {gate}")).await?;
        Ok("begun".into())
    }

    fn undo(&self, begun: String) {
        self.journal.note(format!("undo {begun}"));
    }

    #[wait(signal = "go", timeout = "1h")]
    fn go(&self, _: ()) -> u64 {
        self.journal.note("gone");
        1
    }

    #[wait(signal = "end", timeout = "1h")]
    fn end(&self, _: (), gone: &u64) -> bool {
        *gone == 1
    }
}

fn held() -> (Saga<Held>, Journal) {
    let journal = Journal::default();
    (testing::saga(Held { journal: journal.clone() }), journal)
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_saga_goes_back() {
    let (saga, journal) = held();
    let handle = saga.start("17", 1).await.unwrap();
    while saga.status("17").await.unwrap().unwrap().instance.owner.is_some() {
        tokio::task::yield_now().await;
    }
    handle.cancel().await.unwrap();
    let error = handle.await.unwrap_err();
    assert!(matches!(error, SagaError::Compensated { reason: FailureReason::Cancelled, .. }), "{error}");
    assert_eq!(journal.lines(), ["begin 1", "undo begun"]);
    let again = saga.cancel("17").await.unwrap_err();
    assert_eq!(again.to_string(), "saga `17` is compensated");
    assert!(matches!(saga.cancel("18").await.unwrap_err(), SagaRefusal::NotFound { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_saga_past_its_pivot_is_not_cancelled() {
    let (saga, journal) = held();
    let handle = saga.start("17", 1).await.unwrap();
    saga.signal("17", "go", ()).await.unwrap();
    while journal.lines().len() < 2 {
        tokio::task::yield_now().await;
    }
    handle.cancel().await.unwrap();
    saga.signal("17", "end", ()).await.unwrap();
    assert!(handle.await.unwrap());
    let timeline = timeline(&saga.status("17").await.unwrap().unwrap());
    assert!(timeline.contains(&"cancel_refused: its pivot is done: it goes forward only".to_owned()), "{timeline:?}");
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_takes_too_long_goes_back() {
    let (saga, journal) = held();
    let began = tokio::time::Instant::now();
    let error = saga.start("17", 1).await.unwrap().await.unwrap_err();
    assert!(matches!(error, SagaError::Compensated { reason: FailureReason::TimedOut, .. }), "{error}");
    assert!(began.elapsed().as_secs() >= 60, "{:?}", began.elapsed());
    assert_eq!(journal.lines(), ["begin 1", "undo begun"]);
}
