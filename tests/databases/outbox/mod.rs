//! The outbox: what is sent in a transaction goes out if and only if it commits. On both databases; nobody looks at the table by itself
//! but where a test says so.

mod order;
mod refusals;
mod relays;
mod sending;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use kinoko::{
    Publisher, RunningApp, Settings,
    prelude::*,
    protocol::{Message, Name},
    sql::{Database, Tx},
    testing::TestDatabase,
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, body, eventually, postgres_url, unique};
use serde::{Deserialize, Serialize};

/// Runs each test on both databases.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {$(
            #[tokio::test]
            async fn $test() {
                super::$test($crate::outbox::Place::sqlite().await).await;
            }
        )*}

        mod postgres {$(
            #[tokio::test]
            #[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
            async fn $test() {
                super::$test($crate::outbox::Place::postgres().await).await;
            }
        )*}
    };
}
use on_both;

/// A database of one test, and a broker.
struct Place {
    own: TestDatabase,
    url: String,
    broker: String,
}

impl Place {
    async fn sqlite() -> Self {
        Self::of(TestDatabase::sqlite().await.unwrap())
    }

    async fn postgres() -> Self {
        Self::of(TestDatabase::postgres(&postgres_url()).await.unwrap())
    }

    fn of(own: TestDatabase) -> Self {
        Self { url: own.url().to_owned(), own, broker: format!("memory://{}", unique("outbox")) }
    }

    fn is_sqlite(&self) -> bool {
        self.own.url().starts_with("sqlite:")
    }

    async fn database(&self) -> Database {
        Database::connect(&self.url).await.unwrap()
    }

    /// A program that runs `Orders`, with further settings of its database. It looks at its outbox when it is told to, and not by itself.
    async fn program(&self, more: &[(&str, &str)]) -> RunningApp {
        let mut settings = format!("database:\n  url: '{}'\n", self.url);
        if !more.iter().any(|(key, _)| *key == "outbox") {
            settings.push_str("  outbox: {poll: 1h}\n");
        }
        for (key, value) in more {
            writeln!(settings, "  {key}: {value}").unwrap();
        }
        let settings = Settings::from_yaml(&settings).unwrap();
        App::new().settings(settings).broker(&self.broker).service::<Orders>().start().await.unwrap()
    }

    /// Who gets the events of `Orders` with this name.
    async fn listener(&self, event: &str) -> Listener {
        let transport = connect(&self.broker, TransportOptions::default()).await.unwrap();
        let queue = Name::from(unique("outbox"));
        let exchange = Exchange::durable("outbox_orders.events", ExchangeKind::Topic);
        let binding = Binding::new(exchange.name.clone(), queue.clone(), Name::from(event.to_owned()));
        let queues = vec![Queue::durable(queue.clone())];
        transport.declare(Topology { exchanges: vec![exchange], queues, bindings: vec![binding] }).await.unwrap();
        let (sink, deliveries) = Deliveries::new();
        transport.consume(queue, 10_000, sink).await.unwrap();
        Listener { transport, deliveries }
    }
}

struct Listener {
    #[expect(dead_code, reason = "without it nothing is delivered")]
    transport: Arc<dyn Transport>,
    deliveries: Deliveries,
}

impl Listener {
    async fn next(&self) -> Arc<Message> {
        self.deliveries.next_message().await
    }

    /// The number that the next event carries.
    async fn order(&self) -> i64 {
        let message = self.next().await;
        serde_json::from_str::<Placed>(&body(&message)).unwrap().order
    }

    async fn orders(&self, count: usize) -> Vec<i64> {
        let mut orders = Vec::new();
        for _ in 0..count {
            orders.push(self.order().await);
        }
        orders
    }
}

#[event(source = "outbox_orders", name = "placed")]
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Placed {
    order: i64,
}

/// An event that somebody has to hear.
#[event(source = "outbox_orders", name = "audited", required)]
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Audited {
    order: i64,
}

#[derive(Dependencies)]
struct Orders {
    db: Database,
    events: EventDispatcher,
    mails: Publisher,
}

#[service(name = "outbox_orders")]
impl Orders {
    /// Dispatches one event for each number, and fails where it is told to.
    #[rpc]
    async fn place(&self, #[inject] mut tx: Tx, orders: Vec<i64>, fail: bool) -> kinoko::Result<()> {
        for order in orders {
            self.events.in_tx(&mut tx).dispatch(&Placed { order }).await?;
        }
        if fail { Err(kinoko::Error::msg("the test wants it")) } else { Ok(()) }
    }

    /// The same in an order of its own.
    #[rpc]
    async fn place_in_order(&self, #[inject] mut tx: Tx, key: String, order: i64) -> kinoko::Result<()> {
        self.events.in_tx(&mut tx).dispatch(&Placed { order }).ordered_by(key).await?;
        Ok(())
    }

    #[rpc]
    async fn audit(&self, #[inject] mut tx: Tx, key: String, order: i64) -> kinoko::Result<()> {
        self.events.in_tx(&mut tx).dispatch(&Audited { order }).ordered_by(key).await?;
        Ok(())
    }

    #[rpc]
    async fn mail(&self, #[inject] mut tx: Tx, exchange: String) -> kinoko::Result<()> {
        let mail = self.mails.in_tx(&mut tx).publish(&"hello").to_exchange(exchange, "mail");
        mail.expiration("1h").correlation_id("c").message_type("mail").header("x", 1).await?;
        Ok(())
    }

    #[rpc]
    async fn later(&self, #[inject] mut tx: Tx, order: i64) -> kinoko::Result<()> {
        self.events.in_tx(&mut tx).dispatch(&Placed { order }).after("700ms").await?;
        Ok(())
    }
}

/// Waits until nothing is left in the outbox.
async fn emptied(place: &Place) {
    let database = place.database().await;
    let empty = || async { (database.outbox().await.unwrap().waiting == 0).then_some(()) };
    eventually(Duration::from_secs(20), "the outbox is empty", empty).await;
    database.close().await;
}
