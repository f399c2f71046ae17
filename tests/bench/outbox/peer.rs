//! The measured program: does what the driver asks for, and says how many seconds it took.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kinoko::{
    App, Settings,
    prelude::*,
    sql::Database,
    testing::TestDatabase,
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Raw, postgres_url};
use serde::{Deserialize, Serialize};

use crate::{
    Failed,
    measured::{commands, say},
    options::Options,
    payload::Payload,
    process,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Sqlite,
    Postgres,
}

const ROLES: [(Role, &str, &str); 2] =
    [(Role::Sqlite, "outbox-sqlite", "SQLite"), (Role::Postgres, "outbox-postgres", "PostgreSQL")];

impl Role {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        ROLES.iter().find(|(_, name, _)| *name == text).map(|(role, ..)| *role)
    }

    pub(crate) fn database(self) -> &'static str {
        ROLES.iter().find(|(role, ..)| *role == self).map_or("", |(.., database)| database)
    }

    /// Starts a program in this role; returns when it is ready.
    pub(crate) fn start(self, broker: &str) -> Result<process::Peer, Failed> {
        let name = ROLES.iter().find(|(role, ..)| *role == self).map_or("", |(_, name, _)| name);
        process::Peer::start(name, &["--broker", broker])
    }
}

#[event(source = "bench_outbox", name = "placed")]
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Placed(Payload);

#[derive(Dependencies)]
struct Orders {
    #[allow(dead_code, reason = "its relay is what is measured")]
    db: Database,
}

#[service(name = "bench_outbox", client = false)]
impl Orders {
    /// A service does something.
    #[rpc]
    fn idle(&self) {}
}

const QUEUE: &str = "bench_outbox";

/// How many events of the backlog one transaction has, each in an order of its own.
const AT_ONCE: u64 = 50;

pub(crate) fn run(role: Role, options: &Options) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(obey(role, &options.broker))
}

async fn obey(role: Role, broker: &str) -> Result<(), Failed> {
    let bench = Bench::open(role, broker).await?;
    let mut commands = commands();
    say("ready")?;
    while let Some(command) = commands.recv().await {
        let (command, count) = command.split_once(' ').unwrap_or((&command, "0"));
        let count = count.parse()?;
        let seconds = match command {
            "plain" => bench.plain(count).await?,
            "fill" => bench.fill(count).await?,
            "relay" => bench.relay(count).await?,
            "without" => bench.transactions(count, false).await?,
            "with" => bench.transactions(count, true).await?,
            "begin" => bench.begin().await?,
            "end" => bench.end().await?,
            _ => return Err(format!("no command: {command}").into()),
        };
        say(&seconds.as_secs_f64().to_string())?;
    }
    Ok(())
}

struct Bench {
    own: TestDatabase,
    db: Database,
    events: EventDispatcher,
    transport: Arc<dyn Transport>,
    raw: Raw,
    broker: String,
}

impl Bench {
    async fn open(role: Role, broker: &str) -> Result<Self, Failed> {
        let own = match role {
            Role::Sqlite => TestDatabase::sqlite().await?,
            Role::Postgres => TestDatabase::postgres(&postgres_url()).await?,
        };
        let db = Database::connect(own.url()).await?;
        sqlx::query("CREATE TABLE placed (id BIGINT)").execute(&*db).await?;
        let events = EventDispatcher::connect(broker).await?;
        let transport = connect(broker, TransportOptions::default()).await?;
        let raw = Raw::connect(broker).await;
        Ok(Self { own, db, events, transport, raw, broker: broker.to_owned() })
    }

    /// An empty durable classic queue that nobody consumes, and an empty outbox.
    async fn begin(&self) -> Result<Duration, Failed> {
        let began = Instant::now();
        // The first transaction makes the table.
        self.db.begin().await?.commit().await?;
        self.end().await?;
        let exchange = Exchange::durable("bench_outbox.events", ExchangeKind::Topic);
        let binding = Binding::new(exchange.name.clone(), QUEUE, "placed");
        let topology =
            Topology { exchanges: vec![exchange], queues: vec![Queue::durable(QUEUE)], bindings: vec![binding] };
        self.transport.declare(topology).await?;
        Ok(began.elapsed())
    }

    async fn plain(&self, count: u64) -> Result<Duration, Failed> {
        let (began, event) = (Instant::now(), Placed(Payload::of_bytes(100)));
        let done = self.events.dispatch_all(std::iter::repeat_n(&event, usize::try_from(count)?)).await;
        let elapsed = began.elapsed();
        done.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(elapsed)
    }

    /// Writes a backlog; nobody relays it yet.
    async fn fill(&self, count: u64) -> Result<Duration, Failed> {
        let (began, event) = (Instant::now(), Placed(Payload::of_bytes(100)));
        for first in (0..count).step_by(usize::try_from(AT_ONCE)?) {
            let mut tx = self.db.begin().await?;
            for number in first..count.min(first + AT_ONCE) {
                self.events.in_tx(&mut tx).dispatch(&event).ordered_by(number).await?;
            }
            tx.commit().await?;
        }
        Ok(began.elapsed())
    }

    /// From the start of the relay to the deletion of the last row.
    async fn relay(&self, count: u64) -> Result<Duration, Failed> {
        let settings = Settings::from_yaml(&format!("database: {{url: '{}'}}\nlog: warn", self.own.url()))?;
        let began = Instant::now();
        let app = App::new().settings(settings).broker(&self.broker).service::<Orders>().start().await?;
        loop {
            // One look at an index: a count would cost more than what is measured.
            let left = sqlx::query_scalar::<_, Option<i64>>("SELECT MIN(id) FROM kinoko_outbox").fetch_one(&*self.db);
            if left.await?.is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let elapsed = began.elapsed();
        app.stop().await?;
        let waiting = self.transport.queue_status(&QUEUE.into()).await?.map_or(0, |status| status.messages);
        if u64::from(waiting) < count {
            return Err(format!("{waiting} of {count} events are in the queue").into());
        }
        Ok(elapsed)
    }

    async fn transactions(&self, count: u64, with: bool) -> Result<Duration, Failed> {
        let (began, event) = (Instant::now(), Placed(Payload::of_bytes(100)));
        for _ in 0..count {
            let mut tx = self.db.begin().await?;
            sqlx::query("INSERT INTO placed VALUES ($1)").bind(1_i64).execute(&mut *tx).await?;
            if with {
                self.events.in_tx(&mut tx).dispatch(&event).await?;
            }
            tx.commit().await?;
        }
        Ok(began.elapsed())
    }

    /// Leaves nothing behind.
    async fn end(&self) -> Result<Duration, Failed> {
        let began = Instant::now();
        sqlx::query("DELETE FROM kinoko_outbox").execute(&*self.db).await?;
        self.raw.delete_queue(QUEUE).await;
        Ok(began.elapsed())
    }
}
