use kinoko::{
    prelude::*,
    saga::{SagaError, SagaRefusal, SagaState},
};

use super::{PlaceOrder, Plan, Receipt, order, place_order, timeline};

async fn over(saga: &Saga<PlaceOrder>, id: &str) {
    while saga.status(id).await.unwrap().unwrap().instance.state == SagaState::Parked {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_keeps_failing_after_the_pivot_is_parked_and_goes_on_when_it_is_retried() {
    let (saga, journal) = place_order();
    journal.plan("send", &[Plan::Refuse; 2]);
    let error = saga.start("17", order(30)).await.unwrap().await.unwrap_err();
    assert!(matches!(error, SagaError::Parked { .. }));
    assert_eq!(
        error.to_string(),
        "saga `17` is parked at `send`: it failed, after 2 attempts: Refused: send was refused"
    );
    let parked = saga.parked().await.unwrap();
    assert_eq!(parked.iter().map(|saga| saga.id.to_string()).collect::<Vec<_>>(), ["place_order/17"]);
    let error = saga.skip("17").await.unwrap_err();
    assert!(matches!(error, SagaRefusal::NotCompensating { .. }));

    saga.retry("17").await.unwrap();
    over(&saga, "17").await;
    assert_eq!(saga.handle("17").await.unwrap(), Receipt("lamp, 30 paid".into()));
    assert!(saga.parked().await.unwrap().is_empty());
    assert_eq!(saga.retry("17").await.unwrap_err().to_string(), "saga `17` is completed, not parked");
    assert!(
        !journal.lines().iter().any(|line| line.starts_with("re") && line != "reserve lamp"),
        "nothing is taken back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_keeps_failing_is_parked_and_may_be_skipped() {
    let (saga, journal) = place_order();
    journal.plan("pack", &[Plan::Refuse]).plan("refund", &[Plan::Refuse; 10]);
    let error = saga.start("17", order(30)).await.unwrap().await.unwrap_err();
    assert!(
        error.to_string().starts_with("saga `17` is parked at `charge`: its compensation failed 10 times"),
        "{error}"
    );
    saga.skip("17").await.unwrap();
    over(&saga, "17").await;
    let error = saga.handle("17").await.unwrap_err();
    assert_eq!(error.to_string(), "step `pack`: Refused: pack was refused");
    assert_eq!(journal.lines().last().unwrap(), "release lamp", "the others are taken back all the same");
    let timeline = timeline(&saga.status("17").await.unwrap().unwrap());
    assert_eq!(
        timeline[timeline.len() - 4..],
        ["settled charge", "compensating reserve", "undone reserve", "compensated"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_parked_compensation_that_is_retried_has_all_its_attempts_again() {
    let (saga, journal) = place_order();
    journal.plan("pack", &[Plan::Refuse]).plan("release", &[Plan::Refuse; 12]);
    saga.start("17", order(0)).await.unwrap().await.unwrap_err();
    assert_eq!(journal.lines().iter().filter(|line| *line == "release lamp").count(), 10);
    saga.retry("17").await.unwrap();
    over(&saga, "17").await;
    saga.handle("17").await.unwrap_err();
    assert_eq!(saga.status("17").await.unwrap().unwrap().instance.state, SagaState::Compensated);
    assert_eq!(journal.lines().iter().filter(|line| *line == "release lamp").count(), 13);
}
