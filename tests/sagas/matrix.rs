use kinoko::{prelude::*, saga::Outcome, saga_matrix, testing::SagaMatrix};

use super::{Journal, Order, PlaceOrder, order};

#[tokio::test]
async fn every_failure_of_every_step_ends_well() {
    let journal = Journal::default();
    // Without a failure, six of each of the first two steps and one more of the second, five of each of the others, and four of each
    // compensation.
    let runs = saga_matrix!(PlaceOrder { journal: journal.clone() }, order(30)).await;
    assert_eq!(runs, 1 + 5 + 6 + 5 + 5 + 2 * 4);
    let lines = journal.lines();
    assert!(lines.contains(&"refund what place_order/matrix/charge may have charged".to_owned()));
    assert!(lines.iter().filter(|line| line.starts_with("send")).count() > 10);
}

#[tokio::test]
async fn a_skipped_step_has_no_failures() {
    saga_matrix!(PlaceOrder { journal: Journal::default() }, order(0)).await;
}

#[derive(Dependencies)]
struct Approved;

#[saga(name = "approved")]
impl Approved {
    #[step(compensate = undo)]
    fn ask(&self, what: &Order) -> usize {
        what.sku.len()
    }
    fn undo(&self, _: Outcome<usize>) {}
    #[wait(signal = "approve", timeout = "1h")]
    fn approve(&self, yes: bool, asked: &usize) -> bool {
        yes && *asked > 0
    }
}

#[tokio::test]
async fn steps_that_wait_get_their_signal_in_each_run() {
    let runs = SagaMatrix::new(|| Approved, || order(1)).signal("approve", true).run().await;
    assert_eq!(runs, 1 + 6 + 5 + 4);
}
