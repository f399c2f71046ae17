//! Transactions with events in them go on while the processes that commit and relay, and the broker, are killed: what was committed goes
//! out, and nothing else does.

use std::{
    collections::{BTreeSet, HashMap},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use kinoko::{
    protocol::Name,
    sql::Database,
    testing::TestDatabase,
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, body, eventually, postgres_url, unique};
use serde::Deserialize;
use tokio::task::block_in_place;

use crate::{node::Node, report};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kill {
    Broker,
    Process,
}

/// How many transactions commit, and what is killed on the way.
fn size() -> (i64, Vec<Kill>) {
    use Kill::{Broker, Process};
    match std::env::var("KINOKO_TEST_PROOF_OUTBOX").ok().and_then(|rows| rows.parse().ok()) {
        Some(rows) => (rows, [Process, Process, Process, Process, Broker].repeat(4)),
        None => (2_000, vec![Process, Broker, Process]),
    }
}

/// How many instances commit and could relay.
const INSTANCES: usize = 2;

/// What a relay has read, at most, and so sends again after it was killed.
const READ: usize = 2048;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn outbox_on_sqlite() {
    committed_events_go_out("SQLite", TestDatabase::sqlite().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(all(private_broker, postgres)),
    ignore = "needs PostgreSQL and a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL and KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn outbox_on_postgres() {
    committed_events_go_out("PostgreSQL", TestDatabase::postgres(&postgres_url()).await.unwrap()).await;
}

async fn committed_events_go_out(name: &str, own: TestDatabase) {
    let began = Instant::now();
    let mut node = Node::get().await;
    let (goal, kills) = size();
    let database: Database = Database::connect(own.url()).await.unwrap();
    sqlx::query("CREATE TABLE placed (run BIGINT, worker BIGINT, number BIGINT, PRIMARY KEY (run, worker, number))")
        .execute(&*database)
        .await
        .unwrap();
    let inbox = Inbox::open(&node.uri()).await;

    let (uri, mut runs) = (node.uri(), 0);
    let mut start = || {
        runs += 1;
        Process::start(&uri, own.url(), goal, runs)
    };
    let mut processes: Vec<_> = (0..INSTANCES).map(|_| start()).collect();
    let mut killed = 0;
    for (number, kill) in (1..).zip(&kills) {
        let rows = goal * number / (i64::try_from(kills.len()).unwrap() + 1);
        committed(&database, rows).await;
        match kill {
            Kill::Process => {
                processes[killed % INSTANCES] = start();
                killed += 1;
            }
            Kill::Broker => block_in_place(|| {
                node.kill9();
                node.start();
            }),
        }
    }
    committed(&database, goal).await;
    let empty = || async { (database.outbox().await.unwrap().waiting == 0).then_some(()) };
    eventually(Duration::from_secs(180), "the outbox is empty", empty).await;
    for process in processes {
        process.stop().await;
    }

    let rows: Vec<(i64, i64, i64)> =
        sqlx::query_as("SELECT run, worker, number FROM placed").fetch_all(&*database).await.unwrap();
    let rows: BTreeSet<_> = rows.into_iter().collect();
    let received = inbox.take_all().await;
    let (distinct, late) = (received.distinct(), received.late());
    let lost = rows.difference(&distinct).count();
    let invented = distinct.difference(&rows).count();
    let again = received.events.len() - distinct.len();
    report(
        &format!(
            "{name}: {killed} of {INSTANCES} processes that commit and relay killed, the broker {} times, with -9",
            kills.len() - killed
        ),
        &format!(
            "{} transactions committed, {} events received, {lost} lost, {invented} of transactions that did not commit, {again} again \
             under their message id, {late} out of order; {:.1} min",
            rows.len(),
            distinct.len(),
            began.elapsed().as_secs_f64() / 60.0
        ),
    );
    assert!(rows.len() >= usize::try_from(goal).unwrap(), "{} rows", rows.len());
    assert_eq!((lost, invented, late), (0, 0, 0));
    assert_eq!(received.ids(), distinct.len(), "each event has one message id");
    assert!(again <= kills.len() * READ, "{again} came again");
}

/// Waits until so many transactions have committed.
async fn committed(database: &Database, goal: i64) {
    let rows = || async {
        let rows = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM placed").fetch_one(&**database).await.unwrap();
        (rows >= goal).then_some(())
    };
    eventually(Duration::from_secs(600), "transactions commit", rows).await;
}

/// A process that commits and relays. Killed with its drop, with -9.
struct Process(Child);

impl Process {
    fn start(broker: &str, database: &str, goal: i64, run: i64) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_program-outbox"))
            .env_clear()
            .env("KINOKO_AMQP_URI", broker)
            .env("KINOKO_DATABASE__URL", database)
            .env("KINOKO_GOAL", goal.to_string())
            .env("KINOKO_RUN", run.to_string())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    async fn stop(mut self) {
        let status = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status();
        assert!(status.unwrap().success());
        let child = std::sync::Mutex::new(&mut self.0);
        let ended = || async { child.lock().unwrap().try_wait().unwrap() };
        assert!(eventually(Duration::from_secs(40), "a process ends", ended).await.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A durable queue that nobody consumes before the end.
struct Inbox {
    transport: Arc<dyn Transport>,
    queue: Name,
}

impl Inbox {
    async fn open(broker: &str) -> Self {
        let transport = connect(broker, TransportOptions::default()).await.unwrap();
        let queue = Name::from(unique("faults.outbox"));
        let exchange = Exchange::durable("faults_outbox.events", ExchangeKind::Topic);
        let binding = Binding::new(exchange.name.clone(), queue.clone(), "placed");
        let queues = vec![Queue::durable(queue.clone())];
        transport.declare(Topology { exchanges: vec![exchange], queues, bindings: vec![binding] }).await.unwrap();
        Self { transport, queue }
    }

    async fn take_all(self) -> Received {
        let waiting = self.transport.queue_status(&self.queue).await.unwrap().unwrap().messages;
        let (sink, deliveries) = Deliveries::new();
        let consumer = self.transport.consume(self.queue.clone(), 500, sink).await.unwrap();
        let mut events = Vec::new();
        for _ in 0..waiting {
            let delivery = deliveries.next().await;
            let id = delivery.message().properties.message_id.clone().unwrap();
            events.push((serde_json::from_str::<Placed>(&body(delivery.message())).unwrap().key(), id));
            delivery.ack();
        }
        consumer.cancel().await;
        self.transport.close().await;
        Received { events }
    }
}

#[derive(Deserialize)]
struct Placed {
    run: i64,
    worker: i64,
    number: i64,
}

impl Placed {
    fn key(&self) -> (i64, i64, i64) {
        (self.run, self.worker, self.number)
    }
}

/// What came, in order: each with its message id.
struct Received {
    events: Vec<((i64, i64, i64), Name)>,
}

impl Received {
    fn distinct(&self) -> BTreeSet<(i64, i64, i64)> {
        self.events.iter().map(|(key, _)| *key).collect()
    }

    fn ids(&self) -> usize {
        self.events.iter().collect::<BTreeSet<_>>().len()
    }

    /// How many of those that have an order came for the first time after a later one.
    fn late(&self) -> usize {
        let (mut seen, mut last, mut late) = (BTreeSet::new(), HashMap::new(), 0);
        for ((run, worker, number), _) in self.events.iter().filter(|((_, _, number), _)| number % 2 == 0) {
            if seen.insert((run, worker, number)) {
                let last = last.entry((run, worker)).or_insert(*number);
                late += usize::from(number < last);
                *last = *number.max(last);
            }
        }
        late
    }
}
