//! The same rows by hand: kinoko's tables, as many commits a saga, each of its own.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use kinoko::{
    saga::{Happened, Progress, SagaState, StepProgress, StepState, What},
    sql::{Database, Tx, own_tables},
};

use super::framework::{Order, RECEIPT};
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
};

const STEPS: [&str; 4] = ["reserve", "charge", "pack", "ship"];

/// How long a saga is its runner's own, in milliseconds.
const LEASE: i64 = 10_000;

pub(crate) struct Twin {
    db: Database,
    started: Arc<AtomicU64>,
}

impl Twin {
    pub(crate) async fn open(db: Database) -> Result<Self, Failed> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(own_tables(db.dialect()))).execute(&*db).await?;
        Ok(Self { db, started: Arc::default() })
    }

    pub(crate) async fn load(&self, run: Load) -> Result<Done, Failed> {
        let (db, started) = (self.db.clone(), self.started.clone());
        load::run(run, Clock::EveryCall, move || {
            let (db, number) = (db.clone(), started.fetch_add(1, Ordering::Relaxed));
            async move { saga(&db, &format!("order-{number}")).await }
        })
        .await
    }
}

async fn saga(db: &Database, id: &str) -> Result<(), Failed> {
    let order = Order::one();
    let mut steps: Vec<_> = STEPS.map(|name| StepProgress { name: name.to_owned(), ..StepProgress::default() }).into();
    begin(&mut steps[0]);
    let mut progress = Progress { steps, ..Progress::default() };
    let told = [Happened::new(What::Started), Happened::to(What::Begun, STEPS[0]).attempt(1)];
    start(db, id, &order, &progress, &told).await?;
    let outputs = [
        serde_json::to_value(order.price + 1)?,
        serde_json::to_value(order.price)?,
        serde_json::to_value("lamp, reservation 31")?,
        serde_json::to_value(RECEIPT)?,
    ];
    for (number, output) in outputs.into_iter().enumerate() {
        progress.steps[number].state = StepState::Done;
        progress.steps[number].output = Some(output);
        let done = Happened::to(What::Done, STEPS[number]).attempt(1);
        let (state, next) = match progress.steps.get_mut(number + 1) {
            Some(step) => {
                begin(step);
                (SagaState::Running, Happened::to(What::Begun, STEPS[number + 1]).attempt(1))
            }
            None => (SagaState::Completed, Happened::new(What::Completed)),
        };
        append(db, id, number + 1, state, &progress, &[done, next]).await?;
    }
    Ok(())
}

fn begin(step: &mut StepProgress) {
    (step.state, step.attempts) = (StepState::Running, 1);
}

async fn start(db: &Database, id: &str, order: &Order, progress: &Progress, told: &[Happened]) -> Result<(), Failed> {
    let mut tx: Tx = db.begin().await?;
    let insert = sqlx::query(
        "INSERT INTO kinoko_saga (saga, id, service, version, steps, state, input, context, progress, seq, signals, owner, fence, due, started, updated)
         VALUES ('fulfil', $1, 'bench_sagas', 1, 'reserve, charge, pack, ship', 'running', $2, '{}', $3, 0, 0, 'twin', 1, $4, $5, $5)",
    );
    insert
        .bind(id)
        .bind(serde_json::to_string(order)?)
        .bind(serde_json::to_string(progress)?)
        .bind(now() + LEASE)
        .bind(now())
        .execute(&mut *tx)
        .await?;
    tell(&mut tx, id, 0, told).await?;
    Ok(tx.commit().await?)
}

async fn append(
    db: &Database,
    id: &str,
    seq: usize,
    state: SagaState,
    progress: &Progress,
    told: &[Happened],
) -> Result<(), Failed> {
    let mut tx: Tx = db.begin().await?;
    let update = sqlx::query(
        "UPDATE kinoko_saga SET seq = $2, state = $3, progress = $4, updated = $5, owner = CASE WHEN $6 = 1 THEN NULL ELSE owner END, due = $7
         WHERE saga = 'fulfil' AND id = $1 AND fence = 1 AND owner = 'twin' AND seq = $2 - 1",
    );
    let seq = i64::try_from(seq)?;
    let is_over = i64::from(state.is_over());
    let updated = update
        .bind(id)
        .bind(seq)
        .bind(state.as_str())
        .bind(serde_json::to_string(progress)?)
        .bind(now())
        .bind(is_over)
        .bind((is_over == 0).then(|| now() + LEASE))
        .execute(&mut *tx)
        .await?;
    if updated.rows_affected() != 1 {
        return Err(format!("{id} is somebody else's").into());
    }
    tell(&mut tx, id, seq, told).await?;
    Ok(tx.commit().await?)
}

async fn tell(tx: &mut Tx, id: &str, seq: i64, told: &[Happened]) -> Result<(), Failed> {
    let insert = sqlx::query("INSERT INTO kinoko_saga_timeline VALUES ('fulfil', $1, $2, $3, $4)");
    insert.bind(id).bind(seq).bind(now()).bind(serde_json::to_string(told)?).execute(&mut **tx).await?;
    Ok(())
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
