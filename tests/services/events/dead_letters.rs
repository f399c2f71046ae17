use std::{collections::BTreeSet, future::IntoFuture, sync::Arc, time::Duration};

use kinoko::{
    dead_letter::{DeadLetters, Selection},
    prelude::*,
    protocol::{Headers, Message, Properties},
    testing::TestApp,
    transport::{Transport, TransportOptions, connect},
};
use kinoko_tests::{Direction, Proxy, Raw, amqp_uri, eventually, soon, unique};
use lapin::types::AMQPValue;
use serde_json::json;

use super::{Journal, outside};

/// A handler's queue and the one of its dead letters, as handlers declare it.
struct Queues {
    raw: Raw,
    transport: Arc<dyn Transport>,
    handled: String,
    dead: String,
}

impl Queues {
    async fn with(letters: u64) -> Self {
        let (raw, handled) = (Raw::connect(&amqp_uri()).await, unique("evt-shop-placed--mailer.on_placed"));
        let dead = format!("kinoko.dead-{handled}");
        raw.declare_queue(&handled, &[]).await;
        let arguments =
            [("x-queue-type", AMQPValue::LongString("quorum".into())), ("x-delivery-limit", 1_000_000.into())];
        raw.declare_queue(&dead, &arguments).await;
        let transport = connect(&amqp_uri(), TransportOptions::default()).await.unwrap();
        let queues = Self { raw, transport, handled, dead };
        for number in 0..letters {
            queues.transport.publish(queues.letter(number)).await.unwrap();
        }
        queues
    }

    fn letter(&self, number: u64) -> Message {
        let reason = if number.is_multiple_of(10) { "malformed" } else { "attempts" };
        let headers = [
            ("kinoko.dead.reason", json!(reason)),
            ("kinoko.dead.error", json!("the server is away")),
            ("kinoko.dead.attempts", json!(5)),
            ("kinoko.dead.at", json!(1_000_000 + number)),
            ("kinoko.dead.queue", json!(self.handled)),
            ("kinoko.dead.exchange", json!("shop.events")),
            ("kinoko.dead.routing_key", json!("placed")),
            ("nameko.language", json!("de")),
        ];
        let properties = Properties {
            content_type: Some("application/json".into()),
            message_id: Some(format!("m-{number}").into()),
            persistent: true,
            headers: Headers::from_iter(headers),
            ..Properties::default()
        };
        Message {
            routing_key: self.dead.clone().into(),
            properties,
            body: number.to_string().into(),
            ..Message::default()
        }
    }

    async fn count(&self, queue: &str) -> u32 {
        let status = self.transport.queue_status(&queue.to_owned().into()).await.unwrap();
        status.map_or(0, |status| status.messages)
    }

    /// A broker counts with a delay, quorum queues above all.
    async fn settle_at(&self, handled: u32, dead: u32) {
        let told = eventually(Duration::from_secs(20), "the queues hold what they should", async || {
            ((self.count(&self.handled).await, self.count(&self.dead).await) == (handled, dead)).then_some(())
        });
        told.await;
    }

    async fn delete(self) {
        for queue in [&self.handled, &self.dead] {
            self.raw.delete_queue(queue).await;
        }
        self.transport.close().await;
    }
}

async fn ids(dead: &DeadLetters, queue: &str) -> BTreeSet<String> {
    let letters = soon("a list", dead.list(queue, u16::MAX)).await.unwrap();
    letters.iter().map(|letter| letter.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn letters_are_listed_replayed_and_discarded_and_none_is_lost() {
    const LETTERS: u32 = 600;
    let queues = Queues::with(LETTERS.into()).await;
    let dead = DeadLetters::connect(&amqp_uri()).await.unwrap();
    let listed = soon("a list", dead.list(&queues.handled, u16::MAX)).await.unwrap();
    let order: Vec<_> = listed.iter().map(|letter| letter.id.to_string()).collect();
    assert_eq!(
        order,
        (0..LETTERS).map(|number| format!("m-{number}")).collect::<Vec<_>>(),
        "all, the first dead first"
    );
    queues.settle_at(0, LETTERS).await;
    let letter = soon("a letter", dead.show(&queues.dead, "m-421")).await.unwrap().unwrap();
    assert_eq!((letter.event(), letter.payload()), (Some(("shop", "placed")), Some(json!(421))));
    queues.settle_at(0, LETTERS).await;

    let swept = soon("a sweep", dead.discard(&queues.handled, Selection::reason("malformed"))).await.unwrap();
    assert_eq!((swept.taken, swept.unselected, swept.trouble), (60, 540, None));
    queues.settle_at(0, 540).await;
    let swept = soon("a replay", dead.replay(&queues.handled, Selection::id("m-421")).into_future()).await.unwrap();
    assert_eq!((swept.taken, swept.unselected, swept.trouble), (1, 539, None));
    let (properties, body) = queues.raw.next(&queues.handled).await;
    assert_eq!(body, b"421");
    let text = |text: &str| AMQPValue::LongString(text.into());
    let mut headers = lapin::types::FieldTable::default();
    headers.insert("nameko.language".into(), text("de"));
    headers.insert("kinoko.exchange".into(), text("shop.events"));
    headers.insert("kinoko.routing_key".into(), text("placed"));
    assert_eq!(properties.headers().as_ref(), Some(&headers));

    let swept = soon("a replay", dead.replay(&queues.handled, Selection::All).into_future()).await.unwrap();
    assert_eq!((swept.taken, swept.unselected, swept.trouble), (539, 0, None));
    queues.settle_at(539, 0).await;
    dead.close().await;
    queues.delete().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_connection_that_is_lost_while_letters_are_read_or_replayed_loses_none() {
    const LETTERS: u32 = 500;
    let (queues, proxy) = (Queues::with(LETTERS.into()).await, Proxy::to(&amqp_uri()));
    let dead = DeadLetters::connect(&proxy.uri(&amqp_uri())).await.unwrap();
    proxy.hold(Direction::ToClients);
    let listing = tokio::spawn({
        let (dead, queue) = (dead.clone(), queues.handled.clone());
        async move { dead.list(&queue, u16::MAX).await }
    });
    proxy.lose();
    // It began over, or it says so.
    let listed = soon("the list", listing).await.unwrap();
    assert!(listed.as_ref().map_or(true, |letters| letters.len() <= LETTERS as usize), "{listed:?}");
    queues.settle_at(0, LETTERS).await;

    let replay = dead.replay(&queues.handled, Selection::All).per_second(400.0);
    let replaying = tokio::spawn(replay.into_future());
    eventually(Duration::from_secs(20), "a part is replayed", async || {
        (queues.count(&queues.handled).await > 100).then_some(())
    })
    .await;
    proxy.cut();
    let swept = soon("the replay", replaying).await.unwrap().unwrap();
    assert!(swept.taken > 0 && swept.trouble.is_some(), "{swept:?}");

    // Nothing is in anybody's hands: each is in one of the queues, or in both where its acknowledgement was lost.
    let mut all = eventually(Duration::from_secs(20), "each letter is in one of the queues", async || {
        let replayed = queues.count(&queues.handled).await;
        let left = ids(&dead, &queues.handled).await;
        (left.len() + replayed as usize >= LETTERS as usize).then_some(left)
    })
    .await;
    for _ in 0..queues.count(&queues.handled).await {
        let (properties, _) = queues.raw.next(&queues.handled).await;
        all.insert(properties.message_id().as_ref().unwrap().to_string());
    }
    assert_eq!(all.len(), LETTERS as usize);
    dead.close().await;
    queues.delete().await;
}

/// Its mail server is away.
#[derive(Dependencies)]
struct Mailer {
    journal: Journal,
}

#[service(name = "broker_mailer")]
impl Mailer {
    #[event_handler("broker_mailer", "placed", retry(max = 2, backoff = "100ms"))]
    fn on_placed(&self, #[inject] cx: WorkerContext, raw: &RawDelivery) -> kinoko::Result<()> {
        let number: u64 = raw.decode()?;
        let id = raw.properties().message_id.clone().unwrap_or_default();
        self.journal.note(format!("{number} {id} {} {}", cx.attempt(), cx.get("language").unwrap_or(&json!(null))));
        Err(kinoko::Error::msg("the server is away"))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn an_event_is_delayed_dies_and_is_handled_again_by_a_replay() {
    const QUEUE: &str = "evt-broker_mailer-placed--broker_mailer.on_placed";
    outside(&[QUEUE]).await;
    let (journal, mut entries) = Journal::new();
    let app = TestApp::new().broker(amqp_uri()).service::<Mailer>().replace(journal).start().await.unwrap();
    let dead = app.dead_letters();
    let began = std::time::Instant::now();
    let dispatch = app.events().dispatch_to("broker_mailer", "placed", &5).context("language", "de");
    let dispatched = dispatch.message_id("letter-5").after("1s").await.unwrap();
    assert!(dispatched.routed, "the broker keeps it");
    let (entry, at) = entries.next().await;
    assert_eq!(entry, r#"5 letter-5 1 "de""#);
    assert!(at - began >= Duration::from_secs(1), "{:?}", at - began);
    assert_eq!(entries.next().await.0, r#"5 letter-5 2 "de""#);

    let letters = async || {
        let queues = dead.queues().await.unwrap();
        assert_eq!((queues.len(), &*queues[0].name), (1, &*format!("kinoko.dead-{QUEUE}")));
        (queues[0].letters == 1).then_some(())
    };
    eventually(Duration::from_secs(20), "a letter", letters).await;
    let letter = dead.show(QUEUE, "letter-5").await.unwrap().unwrap();
    assert_eq!(
        (letter.attempts, letter.event(), letter.payload()),
        (2, Some(("broker_mailer", "placed")), Some(json!(5)))
    );
    assert_eq!(dead.replay(QUEUE, Selection::id("letter-5")).await.unwrap().taken, 1);
    for attempt in [1, 2] {
        assert_eq!(entries.next().await.0, format!(r#"5 letter-5 {attempt} "de""#), "as if it had never failed");
    }
    eventually(Duration::from_secs(20), "the letter again", letters).await;
    assert_eq!(dead.discard(QUEUE, Selection::All).await.unwrap().taken, 1);
    app.stop().await.unwrap();
    outside(&[QUEUE]).await;
}
