//! Dead letters: what is told of them, and that none is lost by looking, replaying or throwing others away.

use std::{
    collections::BTreeSet,
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use kinoko::{
    Value,
    dead_letter::{DeadLetters, Letter, Selection},
    prelude::*,
    protocol::{Headers, Message, Properties},
    testing::TestApp,
    transport::{Delivery, DeliverySink, Queue, QueueStatus, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, body, unique};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

const QUEUE: &str = "evt-shop-placed--mailer.on_placed";
const DEAD: &str = "kinoko.dead-evt-shop-placed--mailer.on_placed";

/// A broker with a handler's queue and the one of its dead letters.
struct Broker {
    transport: Arc<dyn Transport>,
    dead: DeadLetters,
}

impl Broker {
    async fn new() -> Self {
        let url = format!("memory://{}", unique("dead-letters"));
        let transport = connect(&url, TransportOptions::default()).await.unwrap();
        let queues = vec![Queue::durable(QUEUE), Queue::durable(DEAD)];
        transport.declare(Topology { queues, ..Topology::default() }).await.unwrap();
        Self { transport, dead: DeadLetters::connect(&url).await.unwrap() }
    }

    async fn with(letters: impl IntoIterator<Item = Message>) -> Self {
        let broker = Self::new().await;
        for letter in letters {
            assert!(broker.transport.publish(letter).await.unwrap().routed);
        }
        broker
    }

    async fn status(&self, queue: &'static str) -> QueueStatus {
        self.transport.queue_status(&queue.into()).await.unwrap().unwrap()
    }

    /// How many wait in the handler's queue, and how many are dead; nobody reads either.
    async fn counts(&self) -> (u32, u32) {
        let (handled, dead) = (self.status(QUEUE).await, self.status(DEAD).await);
        assert_eq!(dead.consumers, 0, "nobody is left reading");
        (handled.messages, dead.messages)
    }

    async fn ids(&self) -> BTreeSet<String> {
        let letters = self.dead.list(QUEUE, u16::MAX).await.unwrap();
        let ids: BTreeSet<_> = letters.iter().map(|letter| letter.id.to_string()).collect();
        assert_eq!(ids.len(), letters.len(), "each once");
        ids
    }
}

/// As a handler leaves it.
fn letter(number: u64, reason: &str) -> Message {
    let headers: [(&str, Value); 18] = [
        ("nameko.language", "de".into()),
        ("x-own", number.into()),
        ("kinoko.exchange", "shop.events".into()),
        ("kinoko.routing_key", "placed".into()),
        ("kinoko.attempt", 5.into()),
        ("kinoko.first_failure", 1_000_000.into()),
        ("kinoko.last_error", "SmtpError: the server is away".into()),
        ("kinoko.dead.reason", reason.into()),
        ("kinoko.dead.error", "the server is away".into()),
        ("kinoko.dead.error_type", "SmtpError".into()),
        ("kinoko.dead.code", "SMTP".into()),
        ("kinoko.dead.attempts", 5.into()),
        ("kinoko.dead.first_at", 1_000_000.into()),
        ("kinoko.dead.at", (2_000_000 + number).into()),
        ("kinoko.dead.queue", QUEUE.into()),
        ("kinoko.dead.service", "mailer".into()),
        ("kinoko.dead.method", "on_placed".into()),
        ("kinoko.dead.exchange", "shop.events".into()),
    ];
    let mut properties = Properties {
        content_type: Some("application/json".into()),
        content_encoding: Some("utf-8".into()),
        message_id: Some(format!("m-{number}").into()),
        priority: Some(0),
        persistent: true,
        headers: Headers::from_iter(headers),
        ..Properties::default()
    };
    properties.headers.set("kinoko.dead.routing_key", "placed");
    Message {
        routing_key: DEAD.into(),
        properties,
        body: format!(r#"{{"order":{number}}}"#).into(),
        ..Message::default()
    }
}

fn ms(ms: u64) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_millis(ms))
}

fn keys(headers: &Headers) -> Vec<&str> {
    headers.iter().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn a_list_tells_what_is_known_and_changes_nothing() {
    let broker = Broker::with((0..5).rev().map(|number| letter(number, "attempts"))).await;
    for queue in [QUEUE, DEAD] {
        let letters = broker.dead.list(queue, 100).await.unwrap();
        let ids: Vec<_> = letters.iter().map(|letter| letter.id.to_string()).collect();
        assert_eq!(ids, ["m-0", "m-1", "m-2", "m-3", "m-4"], "the first dead first");
        let letter = &letters[3];
        assert_eq!(
            (&*letter.reason, &*letter.error, &*letter.error_type),
            ("attempts", "the server is away", "SmtpError")
        );
        assert_eq!((letter.code.as_deref(), letter.attempts), (Some("SMTP"), 5));
        assert_eq!((letter.first_at, letter.at), (ms(1_000_000), ms(2_000_003)));
        assert_eq!((&*letter.queue, &*letter.service, &*letter.method), (QUEUE, "mailer", "on_placed"));
        assert_eq!(letter.event(), Some(("shop", "placed")));
        assert_eq!(keys(&letter.properties.headers), ["nameko.language", "x-own"], "as they were published");
        assert_eq!((letter.payload(), letter.body.len()), (Some(json!({"order": 3})), 11));
        assert!(!format!("{letter:?}").contains("de\""), "a header may be a secret");
    }
    assert_eq!(broker.dead.list(QUEUE, 2).await.unwrap().len(), 2);
    assert_eq!(broker.dead.show(QUEUE, "m-4").await.unwrap().unwrap().body, r#"{"order":4}"#);
    assert!(broker.dead.show(QUEUE, "m-9").await.unwrap().is_none());
    assert_eq!(broker.counts().await, (0, 5));
    let (sink, deliveries) = Deliveries::new();
    broker.transport.consume(DEAD.into(), 10, sink).await.unwrap();
    let bodies: Vec<_> = deliveries
        .take(5)
        .await
        .into_iter()
        .map(|delivery| {
            let text = body(delivery.message());
            delivery.ack();
            text
        })
        .collect();
    assert_eq!(bodies[0], r#"{"order":4}"#, "in the order in which they were");
}

#[tokio::test]
async fn what_the_broker_itself_or_a_stranger_put_there_is_read_as_far_as_it_goes() {
    let death = json!([{"queue": QUEUE, "reason": "delivery_limit", "time": 1_700_000_000, "count": 1, "exchange": "shop.events"}]);
    let mut by_broker = Message { routing_key: DEAD.into(), body: "\u{1}".into(), ..Message::default() };
    by_broker.properties.headers = Headers::from_iter([
        ("x-death", death),
        ("x-first-death-reason", json!("delivery_limit")),
        ("x-first-death-queue", json!(QUEUE)),
        ("x-delivery-count", json!(1001)),
        ("kinoko.attempt", json!(2)),
        ("kinoko.last_error", json!("E: once")),
        ("nameko.tenant", json!(7)),
    ]);
    let mut nonsense = Message { routing_key: DEAD.into(), ..Message::default() };
    nonsense.properties.headers = Headers::from_iter([
        ("x-death", json!("none")),
        ("kinoko.dead.reason", json!(["attempts"])),
        ("kinoko.dead.at", json!(u64::MAX)),
        ("kinoko.dead.first_at", json!(-1)),
        ("kinoko.dead.attempts", json!("many")),
        ("kinoko.dead.queue", json!(null)),
    ]);
    let broker = Broker::with([by_broker, nonsense]).await;
    let letters = broker.dead.list(QUEUE, 10).await.unwrap();
    let by_broker = letters.iter().find(|letter| letter.reason == "delivery_limit").unwrap();
    assert_eq!((by_broker.attempts, &*by_broker.error, &*by_broker.queue), (2, "E: once", QUEUE));
    assert_eq!((by_broker.at, by_broker.payload(), by_broker.event()), (ms(1_700_000_000_000), None, None));
    assert_eq!(keys(&by_broker.properties.headers), ["nameko.tenant"]);
    let nonsense = letters.iter().find(|letter| letter.reason == "unknown").unwrap();
    assert_eq!((nonsense.attempts, &*nonsense.queue, nonsense.first_at), (1, QUEUE, None));

    let swept = broker.dead.replay(QUEUE, Selection::All).await.unwrap();
    assert_eq!((swept.taken, broker.counts().await), (2, (2, 0)), "and they go back to the queue that is meant");
}

#[tokio::test]
async fn a_replay_sends_letters_back_as_if_they_had_never_failed() {
    let broker = Broker::with((0..3).map(|number| letter(number, "attempts"))).await;
    let swept = broker.dead.replay(QUEUE, Selection::All).await.unwrap();
    assert_eq!((swept.taken, swept.unselected, swept.stranded, swept.trouble), (3, 0, 0, None));
    assert_eq!(broker.counts().await, (3, 0));
    let (sink, deliveries) = Deliveries::new();
    broker.transport.consume(QUEUE.into(), 10, sink).await.unwrap();
    for number in 0..3 {
        let delivery = deliveries.next().await;
        let message = delivery.message();
        assert_eq!(body(message), format!(r#"{{"order":{number}}}"#));
        let properties = &message.properties;
        assert_eq!(properties.message_id, Some(format!("m-{number}").into()), "the same event");
        assert!(properties.persistent);
        assert_eq!(
            properties.headers,
            Headers::from_iter([
                ("nameko.language", json!("de")),
                ("x-own", json!(number)),
                ("kinoko.exchange", json!("shop.events")),
                ("kinoko.routing_key", json!("placed")),
            ])
        );
        delivery.ack();
    }
}

/// Fails at once: every message is a dead letter again.
struct Failing(Arc<dyn Transport>);

impl DeliverySink for Failing {
    fn deliver(&self, delivery: Delivery) {
        let transport = self.0.clone();
        tokio::spawn(async move {
            let message = Message { routing_key: DEAD.into(), ..Message::clone(delivery.message()) };
            transport.publish(message).await.unwrap();
            delivery.ack();
        });
    }

    fn lost(&self) {}
}

#[tokio::test(start_paused = true)]
async fn letters_that_fail_again_are_not_replayed_again() {
    let broker = Broker::with((0..300).map(|number| letter(number, "attempts"))).await;
    let consumer =
        broker.transport.consume(QUEUE.into(), 10, Arc::new(Failing(broker.transport.clone()))).await.unwrap();
    let replay = broker.dead.replay(QUEUE, Selection::All).per_second(100.0);
    let swept = timeout(Duration::from_secs(60), replay.into_future()).await.unwrap().unwrap();
    assert_eq!(swept.taken, 300);
    sleep(Duration::from_secs(1)).await;
    consumer.cancel().await;
    assert_eq!(broker.counts().await, (0, 300));
    assert_eq!(broker.ids().await.len(), 300);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_selected_is_taken_however_many_others_there_are() {
    // More than are held back at once.
    let reason = |number| if number % 100 == 0 { "malformed" } else { "attempts" };
    let broker = Broker::with((0..1000).map(|number| letter(number, reason(number)))).await;
    let all = broker.ids().await;

    let swept = broker.dead.replay(QUEUE, Selection::id("m-7")).await.unwrap();
    assert_eq!((swept.taken, swept.unselected), (1, 999));
    let swept = broker.dead.discard(QUEUE, Selection::reason("malformed")).await.unwrap();
    assert_eq!((swept.taken, swept.unselected, swept.stranded), (10, 989, 0));
    let odd = |letter: &Letter| letter.payload().is_some_and(|payload| payload["order"].as_u64() == Some(333));
    let swept = broker.dead.discard(QUEUE, Selection::matching(odd)).await.unwrap();
    assert_eq!((swept.taken, swept.unselected), (1, 988));

    assert_eq!(broker.counts().await, (1, 988));
    let left = broker.ids().await;
    let gone: BTreeSet<_> = all.difference(&left).cloned().collect();
    let expected = (0..1000).filter(|number| number % 100 == 0 || [7, 333].contains(number));
    assert_eq!(gone, expected.map(|number| format!("m-{number}")).collect());
    // What stays is as it was, also what had to go behind the others.
    let letter = broker.dead.show(QUEUE, "m-999").await.unwrap().unwrap();
    assert_eq!((letter.at, letter.attempts, &*letter.reason), (ms(2_000_999), 5, "attempts"));
}

#[tokio::test(start_paused = true)]
async fn a_letter_whose_queue_is_gone_stays() {
    let elsewhere = |number| {
        let mut letter = letter(number, "attempts");
        letter.properties.headers.set("kinoko.dead.queue", "evt-gone");
        letter
    };
    let broker = Broker::with((0..300).map(elsewhere).chain([letter(300, "attempts")])).await;
    let swept = broker.dead.replay(QUEUE, Selection::All).await.unwrap();
    assert_eq!((swept.taken, swept.stranded, swept.trouble.as_deref()), (1, 300, Some("no queue `evt-gone`")));
    assert_eq!(broker.counts().await, (1, 300));
    assert_eq!(broker.ids().await.len(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_replay_keeps_its_pace() {
    let broker =
        Broker::with((0..11).map(|number| letter(number, if number < 10 { "attempts" } else { "verdict" }))).await;
    let started = Instant::now();
    let swept = broker.dead.replay(QUEUE, Selection::reason("attempts")).per_second(2.0).await.unwrap();
    assert_eq!((swept.taken, started.elapsed()), (10, Duration::from_millis(4_500)));
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_dropped_loses_nothing() {
    let broker = Broker::with((0..100).map(|number| letter(number, "attempts"))).await;
    let replay = broker.dead.replay(QUEUE, Selection::All).per_second(10.0).into_future();
    timeout(Duration::from_millis(2_050), replay).await.unwrap_err();
    assert_eq!(broker.counts().await, (21, 79));
    assert_eq!(broker.ids().await.len(), 79);
}

#[tokio::test(start_paused = true)]
async fn many_who_look_at_once_each_see_all() {
    let broker = Arc::new(Broker::with((0..50).map(|number| letter(number, "attempts"))).await);
    let lists = (0..5).map(|_| {
        let broker = broker.clone();
        tokio::spawn(async move { broker.ids().await.len() })
    });
    for list in lists.collect::<Vec<_>>() {
        assert_eq!(list.await.unwrap(), 50);
    }
    // One of another program has some of them in its hands.
    let (sink, deliveries) = Deliveries::new();
    let consumer = broker.transport.consume(DEAD.into(), 20, sink).await.unwrap();
    let taken = deliveries.take(20).await;
    assert_eq!(broker.ids().await.len(), 30);
    consumer.cancel().await;
    drop(taken);
    assert_eq!(broker.counts().await, (0, 50));
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told() {
    let dead = DeadLetters::connect("memory://").await.unwrap();
    let text =
        "there is no queue `kinoko.dead-evt-typo`: nothing of it was ever a dead letter, or its name is another one";
    assert_eq!(dead.list("evt-typo", 1).await.unwrap_err().to_string(), text);
    assert_eq!(dead.replay("evt-typo", Selection::All).await.unwrap_err().to_string(), text);
    assert_eq!(dead.discard("kinoko.dead-evt-typo", Selection::All).await.unwrap_err().to_string(), text);
    assert!(dead.queues().await.unwrap().is_empty());
    dead.close().await;
    assert_eq!(dead.list("evt-typo", 1).await.unwrap_err().kind(), kinoko::ErrorKind::Closed);
}

/// A mail server that is away, and comes back.
#[derive(Clone, Default)]
struct Server(Arc<AtomicBool>);

impl Dependency for Server {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

#[derive(Dependencies)]
struct Mailer {
    server: Server,
}

#[service(name = "mailer")]
impl Mailer {
    #[event_handler("shop", "placed", retry(max = 3))]
    fn on_placed(&self, _order: Value) -> kinoko::Result<()> {
        if self.server.0.load(Ordering::Relaxed) { Ok(()) } else { Err(kinoko::Error::msg("the server is away")) }
    }

    #[event_handler("shop", "closed", kind = "singleton")]
    fn on_closed(&self) -> Result<(), Verdict> {
        Err(DeadLetter::because("no shop is ever closed").into())
    }

    #[event_handler("shop", "opened", kind = "broadcast", reliable_delivery = false)]
    fn on_opened(&self, _hour: u8) {}

    #[consume("mailer.jobs")]
    fn on_job(&self, _number: u64) {}
}

#[tokio::test(start_paused = true)]
async fn what_handlers_leave_is_told_and_handled_after_a_replay() {
    let server = Server::default();
    let app = TestApp::new().service::<Mailer>().replace(server.clone()).start().await.unwrap();
    let (events, dead) = (app.events(), app.dead_letters());
    let started = SystemTime::now();
    for number in 0..3 {
        events.dispatch_to("shop", "placed", &number).message_id(format!("m-{number}")).await.unwrap();
    }
    events.dispatch_to("shop", "closed", &()).await.unwrap();
    events.dispatch_to("shop", "opened", "noon").await.unwrap();
    app.publisher().publish(&"job").to_queue("mailer.jobs").await.unwrap();
    sleep(Duration::from_secs(60)).await;

    let queues = dead.queues().await.unwrap();
    let told: Vec<_> = queues.iter().map(|queue| (&*queue.name, queue.method, queue.letters)).collect();
    assert_eq!(
        told,
        [
            (DEAD, "on_placed", 3),
            ("kinoko.dead-evt-shop-closed", "on_closed", 1),
            ("kinoko.dead-evt-shop-opened--mailer.on_opened", "on_opened", 1),
            ("kinoko.dead-mailer.jobs", "on_job", 1),
        ]
    );
    let letter = dead.show(QUEUE, "m-1").await.unwrap().unwrap();
    assert_eq!((&*letter.reason, &*letter.error, letter.attempts), ("attempts", "the server is away", 3));
    assert_eq!((letter.event(), letter.payload()), (Some(("shop", "placed")), Some(json!(1))));
    assert_eq!((&*letter.service, &*letter.method, &*letter.queue), ("mailer", "on_placed", QUEUE));
    assert!(letter.first_at >= ms_of(started) && letter.at >= letter.first_at, "{letter:?}");
    let [closed] = &dead.list("evt-shop-closed", 9).await.unwrap()[..] else { panic!("one") };
    assert_eq!((&*closed.reason, &*closed.error, closed.attempts), ("verdict", "no shop is ever closed", 1));
    let [opened] = &dead.list(&queues[2].name, 9).await.unwrap()[..] else { panic!("one") };
    assert_eq!((&*opened.reason, opened.payload()), ("malformed", Some(json!("noon"))));

    // Not yet: they come back as they went.
    let swept = dead.replay(QUEUE, Selection::id("m-0")).await.unwrap();
    assert_eq!((swept.taken, swept.unselected), (1, 2));
    sleep(Duration::from_secs(60)).await;
    let again = dead.show(QUEUE, "m-0").await.unwrap().unwrap();
    assert_eq!((again.attempts, &*again.reason), (3, "attempts"), "its attempts began anew");

    server.0.store(true, Ordering::Relaxed);
    let handled = app.waiter("mailer", "on_placed").times(3);
    assert_eq!(dead.replay(QUEUE, Selection::All).await.unwrap().taken, 3);
    for fired in handled.await.unwrap() {
        assert!(fired.is_ok() && fired.context().attempt() == 1);
    }
    assert_eq!(dead.queues().await.unwrap()[0].letters, 0);
    // What nobody can read is read no better now.
    let swept = dead.replay(&queues[3].name, Selection::reason("malformed")).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!((swept.taken, dead.discard(&queues[3].name, Selection::All).await.unwrap().taken), (1, 1));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_queue_of_a_known_service_that_never_had_a_letter_is_empty() {
    let dead = DeadLetters::connect("memory://").await.unwrap().service::<Mailer>();
    assert_eq!(dead.queues().await.unwrap().len(), 4);
    assert!(dead.list("mailer.jobs", 9).await.unwrap().is_empty());
    assert_eq!(
        dead.replay("mailer.jobs", Selection::All).await.unwrap(),
        dead.discard(QUEUE, Selection::All).await.unwrap()
    );
    dead.close().await;
}

/// To the millisecond, as letters tell it.
fn ms_of(time: SystemTime) -> Option<SystemTime> {
    ms(u64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}
