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

/// How many events, what is killed on the way, and how long the broker may give away nothing in the end.
fn size(node: &Node) -> (usize, &'static [Kill], Duration) {
    use Kill::{Broker, Handlers};
    match std::env::var("KINOKO_TEST_PROOF_EVENTS").ok().and_then(|events| events.parse().ok()) {
        // RabbitMQ gives what it could not give away while it started another try after three minutes.
        Some(events) => (events, &[Broker, Handlers, Broker, Handlers, Broker], Duration::from_secs(240)),
        None => {
            node.configure_advanced("[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 3000}]}].");
            (10_000, &[Handlers, Broker], Duration::from_secs(60))
        }
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
    let (events, kills, patience) = size(&node);
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
    let (handled, full) = all_done(&node, &full_before, &ledger, events, patience).await;
    handlers.signal("TERM");
    assert!(handlers.ended().await.success(), "{}", handlers.log());
    let Handled { times: handled, failed } = handled;

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

/// What handlers have written.
#[derive(Default)]
struct Handled {
    /// How often each event was handled.
    times: HashMap<u64, usize>,
    failed: usize,
}

impl Handled {
    fn read(ledger: &Ledger) -> Self {
        let mut handled = Self::default();
        for (id, failure) in ledger.entries() {
            match failure {
                true => handled.failed += 1,
                false => *handled.times.entry(id).or_default() += 1,
            }
        }
        handled
    }
}

/// Waits until every event is handled and nothing is left in the queues, for as long as there is less and less to do. What is left of them
/// is returned: the broker counts with a delay, so that empty queues alone mean nothing.
async fn all_done(
    node: &Node,
    full_before: &BTreeMap<String, usize>,
    ledger: &Ledger,
    events: usize,
    patience: Duration,
) -> (Handled, BTreeMap<String, usize>) {
    let (mut last, mut progress) = ((0, BTreeMap::new()), Instant::now());
    loop {
        let mut full = node.full_queues();
        full.retain(|queue, _| !full_before.contains_key(queue));
        let handled = Handled::read(ledger);
        let now = (handled.times.len(), full);
        if now == (events, BTreeMap::new()) || progress.elapsed() > patience {
            return (handled, now.1);
        }
        if now != last {
            (last, progress) = (now, Instant::now());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
