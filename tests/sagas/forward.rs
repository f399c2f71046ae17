use kinoko::saga::{SagaFilter, SagaState, StartError};

use super::{Order, Plan, Receipt, order, place_order, timeline};

#[tokio::test(start_paused = true)]
async fn steps_run_in_order_and_take_what_earlier_ones_returned() {
    let (saga, journal) = place_order();
    let handle = saga.start("17", order(30)).await.unwrap();
    assert_eq!(handle.id(), "17");
    assert_eq!(handle.await.unwrap(), Receipt("lamp, 30 paid".into()));
    assert_eq!(journal.lines(), ["reserve lamp", "charge 30 for lamp", "pack lamp", "send lamp"]);
    let status = saga.status("17").await.unwrap().unwrap();
    assert_eq!(status.instance.state, SagaState::Completed);
    assert_eq!(status.instance.seq, 4, "a start and four transitions");
    let wanted = [
        "started",
        "begun reserve",
        "done reserve",
        "begun charge",
        "done charge",
        "begun pack",
        "done pack",
        "begun send",
        "done send",
        "completed",
    ];
    assert_eq!(timeline(&status), wanted);
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_condition_says_no_is_skipped_and_its_output_is_none() {
    let (saga, journal) = place_order();
    assert_eq!(saga.start("free", order(0)).await.unwrap().await.unwrap(), Receipt("lamp, 0 paid".into()));
    assert_eq!(journal.lines(), ["reserve lamp", "pack lamp", "send lamp"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_start_under_the_same_id_is_the_first_one() {
    let (saga, journal) = place_order();
    let first = saga.start("17", order(30)).await.unwrap();
    let second = saga.start("17", order(30)).await.unwrap();
    assert_eq!(first.await.unwrap(), second.await.unwrap());
    let after_its_end = saga.start("17", order(30)).await.unwrap();
    assert_eq!(after_its_end.await.unwrap(), Receipt("lamp, 30 paid".into()));
    assert_eq!(journal.lines().len(), 4);
    let error = saga.start("17", order(31)).await.unwrap_err();
    assert!(matches!(error, StartError::OtherInput { .. }));
    assert_eq!(error.to_string(), "saga `17` was started before, with another input: give this one an id of its own");
    let error = saga.start("", order(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "`` is no id for a saga: it has 1 to 200 bytes");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_may_be_repeated_is_and_after_the_pivot_any_is() {
    let (saga, journal) = place_order();
    journal.plan("reserve", &[Plan::RefuseForNow, Plan::RefuseForNow]).plan("send", &[Plan::Refuse]);
    assert_eq!(saga.start("17", order(0)).await.unwrap().await.unwrap(), Receipt("lamp, 0 paid".into()));
    assert_eq!(
        journal.lines(),
        ["reserve lamp", "reserve lamp", "reserve lamp", "pack lamp", "send lamp", "send lamp"]
    );
}

#[tokio::test(start_paused = true)]
async fn sagas_are_listed_by_state_the_last_started_first() {
    let (saga, journal) = place_order();
    for id in ["a", "b"] {
        saga.start(id, order(1)).await.unwrap().await.unwrap();
    }
    journal.plan("pack", &[Plan::Refuse]);
    saga.start("c", order(1)).await.unwrap().await.unwrap_err();
    let ids = async |filter| {
        let listed = saga.list(filter).await.unwrap();
        listed.into_iter().map(|instance| instance.id.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(SagaFilter::default()).await, ["c", "b", "a"]);
    assert_eq!(ids(SagaFilter::state(SagaState::Completed)).await, ["b", "a"]);
    assert_eq!(ids(SagaFilter { limit: 1, offset: 1, ..SagaFilter::default() }).await, ["b"]);
    let input: Order =
        serde_json::from_value(saga.list(SagaFilter::default()).await.unwrap()[0].input.clone()).unwrap();
    assert_eq!(input, order(1));
}
