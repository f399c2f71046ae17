//! Events go on being dispatched and handled while the broker and the process that handles them are killed.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use tokio::task::block_in_place;

use crate::{
    dispatching::{DELAYED, Dispatching, IN_FLIGHT},
    instance::{Instance, Ledger},
    node::Node,
    report,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kill {
    Broker,
    Handlers,
}

/// How many events one handler holds at most: the container's default, and prefetch.
const HELD_BY_HANDLERS: usize = 256;

/// How many messages RabbitMQ moves at once out of the queues that delay them, whose time there is over: 32 each, of 12 queues that
/// make up 3 s.
const MOVED_BY_BROKER: usize = 32 * 12;

/// How many events, and what is killed on the way.
fn size() -> (usize, &'static [Kill]) {
    use Kill::{Broker, Handlers};
    match std::env::var("KINOKO_TEST_PROOF_EVENTS").ok().and_then(|events| events.parse().ok()) {
        Some(events) => (events, &[Broker, Handlers, Broker, Handlers, Broker]),
        None => (10_000, &[Handlers, Broker]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn acknowledged_events_are_handled_through_kills() {
    let began = Instant::now();
    let mut node = Node::get().await;
    let full_before = node.full_queues();
    let (events, kills) = size();
    let (uri, ledger) = (node.uri(), Ledger::new());
    let mut handlers = Instance::start(&uri, &ledger).await;
    let mut dispatching = Dispatching::start(&uri, events).await;
    for (number, kill) in kills.iter().enumerate() {
        let goal = events * (number + 1) / (kills.len() + 1);
        dispatching.until(goal).await;
        match kill {
            Kill::Broker => {
                block_in_place(|| node.kill9());
                block_in_place(|| node.start());
            }
            Kill::Handlers => {
                handlers.signal("KILL");
                assert!(!handlers.ended().await.success());
                handlers = Instance::start(&uri, &ledger).await;
            }
        }
    }
    dispatching.finish(events).await;
    let full = empty_queues(&node, &full_before).await;
    handlers.signal("TERM");
    assert!(handlers.ended().await.success(), "{}", handlers.log());

    let mut handled: HashMap<u64, usize> = HashMap::new();
    let mut failed = 0;
    for (id, failure) in ledger.entries() {
        match failure {
            true => failed += 1,
            false => *handled.entry(id).or_default() += 1,
        }
    }
    let lost: Vec<u64> = (0..events as u64).filter(|id| !handled.contains_key(id)).collect();
    let again: usize = handled.values().map(|times| times - 1).sum();
    let brokers = kills.iter().filter(|kill| **kill == Kill::Broker).count();
    // What waited for its confirm is published again, and what was held or moved comes again.
    let in_flight = dispatching.repeated() + brokers * (IN_FLIGHT + MOVED_BY_BROKER) + kills.len() * HELD_BY_HANDLERS;
    report(
        &format!("broker killed {brokers} times, handlers {} times, with -9", kills.len() - brokers),
        &format!(
            "{} of {events} dispatches acknowledged, {} of them for later; {} ended with an error and were made again; \
             {failed} attempts failed and were tried again later; {} events handled, {} lost, {again} handled again, \
             of at most {in_flight} in flight; left in queues, dead letters included: {full:?}; {:.1} min",
            dispatching.acknowledged(),
            events / DELAYED,
            dispatching.repeated(),
            handled.len(),
            lost.len(),
            began.elapsed().as_secs_f64() / 60.0,
        ),
    );
    assert_eq!((dispatching.acknowledged(), handled.len(), lost), (events, events, Vec::new()));
    assert!(again <= in_flight, "{again} handled again, {in_flight} in flight");
    assert!(failed >= events / 50, "each fiftieth fails at first");
    assert!(full.is_empty(), "{full:?}");
}

/// Waits until nothing is left in the queues, for as long as it gets less; returns what is left.
async fn empty_queues(node: &Node, full_before: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let (mut last, mut progress) = (BTreeMap::new(), Instant::now());
    loop {
        let mut full = node.full_queues();
        full.retain(|queue, _| !full_before.contains_key(queue));
        if full.is_empty() || progress.elapsed() > Duration::from_secs(60) {
            return full;
        }
        if full != last {
            (last, progress) = (full, Instant::now());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
