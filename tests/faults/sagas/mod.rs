//! Sagas whose processes are killed with SIGKILL: at every transition and every effect, one after the other, and at random ones together.
//! Afterwards each saga is completed or wholly taken back, with the rows to match.

mod check;
mod plan;
mod stage;

use std::{iter::once, sync::Mutex, time::Instant};

use futures_util::future::join_all;
use kinoko::testing::TestDatabase;
use kinoko_tests::{Order, postgres_url};

use self::{
    plan::{exact, overtaken, random},
    stage::Stage,
};
use crate::report;

/// How many sagas with random kills, and whether the exact ones are all there are.
fn size() -> (u64, bool) {
    match std::env::var("KINOKO_TEST_PROOF_SAGAS").ok().and_then(|seeds| seeds.parse().ok()) {
        Some(seeds) => (seeds, true),
        None => (8, false),
    }
}

/// How many sagas are run beside each other, each in a process and with a log of its own.
const LANES: usize = 10;
/// How many of those that share processes and a log are under way.
const TOGETHER: usize = 6;

/// Where a log, or the table of the effects, is put.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    async fn database(self) -> TestDatabase {
        match self {
            Self::Sqlite => TestDatabase::sqlite().await.unwrap(),
            Self::Postgres => TestDatabase::postgres(&postgres_url()).await.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn sagas_on_sqlite() {
    sagas_end_whole(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(all(private_broker, postgres)),
    ignore = "needs PostgreSQL and a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL and KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn sagas_on_postgres() {
    sagas_end_whole(Kind::Postgres).await;
}

async fn sagas_end_whole(kind: Kind) {
    let (seeds, full) = size();
    let stage = Stage::open(kind).await;

    let began = Instant::now();
    let cases = exact(full);
    // All lanes share the processes of effects. So their kills are one lane's, or one would take the place of another.
    let (of_effects, of_hosts): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.kills_effects());
    let coming = Mutex::new(of_hosts.into_iter());
    let lanes = (0..LANES).map(async |number| {
        let mut lane = stage.lane().await;
        let mut first = of_effects.iter().copied().filter(|_| number == 0);
        let mut next = || first.next().or_else(|| coming.lock().unwrap().next());
        while let Some(case) = next() {
            let transitions = lane.alone(&case.order).await;
            if let Some(known) = case.transitions {
                assert_eq!(transitions, known, "this way has other transitions than it had: {:?}", case.order);
            }
        }
        lane
    });
    let mut lanes = stage.with_effects(join_all(lanes)).await;
    let orders: Vec<_> = cases.into_iter().map(|case| case.order).collect();
    tell(&stage, "a kill at each place of a saga, each saga in a process of its own", &orders, began).await;

    let began = Instant::now();
    // First, so that the others go on for longer than it stands still.
    let orders: Vec<_> = once(overtaken()).chain((0..seeds).map(random)).collect();
    let lane = lanes.swap_remove(0);
    drop(lanes);
    stage.with_effects(lane.together(&orders, TOGETHER)).await;
    let what = format!(
        "one that is overtaken and {seeds} seeds of random kills, {TOGETHER} sagas at a time in two processes over one log"
    );
    tell(&stage, &what, &orders, began).await;
}

/// Holds the rows of these sagas against what their logs say.
async fn tell(stage: &Stage, what: &str, orders: &[Order], began: Instant) {
    let sum = stage.check(orders).await;
    report(
        &format!("sagas on {:?}, {what}", stage.kind),
        &format!(
            "{} sagas, {} completed, {} compensated, {} parked; {} kills of hosts and {} of the processes of effects; {} effects and {} \
             taken back, each once; {:.1} min",
            orders.len(),
            sum.completed,
            sum.compensated,
            sum.parked,
            sum.hosts,
            sum.effects,
            sum.applied,
            sum.undone,
            began.elapsed().as_secs_f64() / 60.0
        ),
    );
    assert_eq!(sum.parked, 0);
}
