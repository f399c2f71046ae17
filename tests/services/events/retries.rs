use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kinoko::{
    dead_letter::{DeadLetters, Selection},
    prelude::*,
    testing::TestApp,
};
use kinoko_tests::{Raw, amqp_uri, eventually, soon};
use serde_json::json;

use super::{Entries, Journal, outside, properties};

/// Whether the handlers know what to do with poison by now.
#[derive(Clone, Default)]
struct Antidote(Arc<AtomicBool>);

impl Dependency for Antidote {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Err(kinoko::Error::msg("the test brings it"))
    }
}

#[derive(Dependencies)]
struct Failing {
    journal: Journal,
    antidote: Antidote,
}

#[service(name = "broker_retries")]
impl Failing {
    #[event_handler("broker_retries", "quorum", retry(max = 3, backoff = "300ms..450ms", jitter = false))]
    async fn on_quorum(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        self.note("quorum", &cx, raw)
    }

    #[event_handler("broker_retries", "classic", retry(max = 3, backoff = "300ms..450ms", jitter = false))]
    async fn on_classic(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        self.note("classic", &cx, raw)
    }
}

impl Failing {
    fn note(&self, which: &str, cx: &WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        let (exchange, key, body) = (raw.exchange(), raw.routing_key(), raw.decode::<String>()?);
        self.journal.note(format!("{which} {} {exchange} {key} {body}", cx.attempt()));
        let fails = body == "poison" && !self.antidote.0.load(Ordering::Acquire);
        if fails { Err(kinoko::Error::msg("it is poison")) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn what_always_fails_is_a_dead_letter_after_its_attempts_and_a_replay_brings_it_back() {
    let queues = ["quorum", "classic"].map(|name| format!("evt-broker_retries-{name}--broker_retries.on_{name}"));
    let raw = outside(&[&queues[0], &queues[1]]).await;
    // As a Python instance has declared it before.
    raw.declare_queue(&queues[1], &[]).await;
    let (journal, mut entries) = Journal::new();
    let antidote = Antidote::default();
    let app = TestApp::new().broker(amqp_uri()).service::<Failing>().replace(journal).replace(antidote.clone());
    let app = app.start().await.unwrap();
    let dead = DeadLetters::connect(&amqp_uri()).await.unwrap();
    for (name, queue) in ["quorum", "classic"].into_iter().zip(&queues) {
        antidote.0.store(false, Ordering::Release);
        assert!(raw.publish_to("broker_retries.events", name, br#""poison""#, properties()).await);
        attempts(&raw, &mut entries, name).await;
        let listed = || async { dead.list(queue, 10).await.unwrap().pop() };
        let letter = eventually(Duration::from_secs(5), "a dead letter", listed).await;
        assert_eq!((&*letter.reason, &*letter.error, letter.attempts), ("attempts", "it is poison", 3));
        assert_eq!((letter.event(), &*letter.queue), (Some(("broker_retries", name)), &**queue));
        assert_eq!((letter.service.as_str(), letter.payload()), ("broker_retries", Some(json!("poison"))));
        let (first, last) = (letter.first_at.unwrap(), letter.at.unwrap());
        assert!(last.duration_since(first).unwrap() >= Duration::from_millis(750), "the two delays");

        antidote.0.store(true, Ordering::Release);
        let swept = soon("a replay", dead.replay(queue, Selection::All).into_future()).await.unwrap();
        assert_eq!((swept.taken, swept.trouble), (1, None));
        let (replayed, _) = entries.next().await;
        assert_eq!(replayed, format!("{name} 1 broker_retries.events {name} poison"), "as if it had never failed");
        assert!(soon("a list", dead.list(queue, 10)).await.unwrap().is_empty());
    }
    app.stop().await.unwrap();
    assert!(entries.0.try_recv().is_err(), "nothing was handled twice");
    for queue in &queues {
        assert!(raw.is_empty(queue).await);
    }
    outside(&[&queues[0], &queues[1]]).await.delete_exchange("broker_retries.events").await;
}

async fn attempts(raw: &Raw, entries: &mut Entries, name: &str) {
    let (first, mut last) = entries.next().await;
    assert_eq!(first, format!("{name} 1 broker_retries.events {name} poison"));
    raw.publish_to("broker_retries.events", name, br#""neighbour""#, properties()).await;
    let (neighbour, at) = entries.next().await;
    assert_eq!(neighbour, format!("{name} 1 broker_retries.events {name} neighbour"));
    assert!(at - last < Duration::from_millis(300), "it has not waited");
    for (attempt, delay) in [(2, 300), (3, 450)] {
        let (next, at) = entries.next().await;
        assert_eq!(next, format!("{name} {attempt} broker_retries.events {name} poison"));
        let waited = at - last;
        assert!(waited >= Duration::from_millis(delay) && waited < Duration::from_millis(delay + 2000), "{waited:?}");
        last = at;
    }
}
