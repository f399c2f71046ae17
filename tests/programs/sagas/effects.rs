//! Writes a row for each effect, and one for each that is taken back, in a transaction with what `idempotent` keeps.

use std::sync::{Arc, Mutex};

use kinoko::{
    WorkerHook,
    prelude::*,
    protocol::Fault,
    sql::{Database, Tx},
};
use kinoko_tests::{Order, Point};

use super::Planned;

#[derive(Debug, thiserror::Error, ServiceError)]
pub(crate) enum NotDone {
    #[error("{what} is refused")]
    #[fault(retry = false)]
    Refused { what: String },
    #[error("the database failed")]
    #[fault(internal)]
    Database(#[from] sqlx::Error),
}

#[derive(Dependencies)]
pub(crate) struct Effects {
    db: Database,
    planned: Planned,
}

#[service(name = "faults_effects")]
impl Effects {
    /// Gives the number of the row.
    #[rpc(idempotent)]
    async fn apply(
        &self,
        #[inject] mut tx: Tx,
        #[inject] commit: Commit,
        order: Order,
        what: String,
    ) -> Result<String, NotDone> {
        let answer = write(&mut tx, &order, &what).await;
        self.ends(&commit, order, what);
        answer
    }

    /// Takes it back, if it is there, and sees to it that it does not come any more, if it is not.
    #[rpc(idempotent)]
    async fn undo(
        &self,
        #[inject] mut tx: Tx,
        #[inject] commit: Commit,
        order: Order,
        what: String,
        receipt: Option<String>,
    ) -> kinoko::Result<()> {
        lock(&mut tx, &order, &what).await?;
        let (line, number) = match (find(&mut tx, &order, &what).await?, receipt) {
            (None, None) => ("void", String::new()),
            (Some(found), told) if told.as_ref().is_none_or(|told| *told == found) => ("undo", found),
            (found, told) => {
                return Err(kinoko::Error::msg(format!("{what} is {found:?}, and the saga says {told:?}")));
            }
        };
        insert(&mut tx, &order, &format!("{line} {what}"), number).await?;
        self.ends(&commit, order, format!("undo {what}"));
        Ok(())
    }
}

impl Effects {
    fn ends(&self, commit: &Commit, order: Order, what: String) {
        self.planned.0.at(&order, &Point::Worked(what.clone()));
        *commit.0.lock().expect("nobody panics with it") = Some((self.planned.clone(), order, what));
    }
}

async fn write(tx: &mut Tx, order: &Order, what: &str) -> Result<String, NotDone> {
    lock(tx, order, what).await?;
    let is_void = find(tx, order, &format!("void {what}")).await?.is_some();
    if is_void || order.refused.as_deref() == Some(what) {
        return Err(NotDone::Refused { what: what.to_owned() });
    }
    let receipt = uuid::Uuid::new_v4().simple().to_string();
    insert(tx, order, what, receipt.clone()).await?;
    Ok(receipt)
}

/// An effect that comes late and its compensation wait for each other here.
async fn lock(tx: &mut Tx, order: &Order, what: &str) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO item VALUES ($1, $2) ON CONFLICT (saga, what) DO UPDATE SET what = excluded.what")
        .bind(&order.id)
        .bind(what)
        .execute(&mut **tx)
        .await
        .map(drop)
}

async fn find(tx: &mut Tx, order: &Order, what: &str) -> sqlx::Result<Option<String>> {
    let find = sqlx::query_scalar("SELECT receipt FROM effect WHERE saga = $1 AND what = $2");
    find.bind(&order.id).bind(what).fetch_optional(&mut **tx).await
}

async fn insert(tx: &mut Tx, order: &Order, what: &str, receipt: String) -> sqlx::Result<()> {
    let insert = sqlx::query("INSERT INTO effect VALUES ($1, $2, $3)");
    insert.bind(&order.id).bind(what).bind(receipt).execute(&mut **tx).await.map(drop)
}

/// Ends the process after the commit, if the order says so. Hooks run in reverse order, and this one is made after the transaction's, whose
/// commit comes between its result and its teardown.
#[derive(Clone, Default)]
struct Commit(Arc<Mutex<Option<(Planned, Order, String)>>>);

impl<S: Sync> FromWorker<S> for Commit {
    async fn from_worker(_: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        let commit = Self::default();
        cx.attach(commit.clone());
        Ok(commit)
    }
}

#[kinoko::async_trait]
impl WorkerHook for Commit {
    async fn teardown(&mut self) -> kinoko::Result<()> {
        if let Some((planned, order, what)) = self.0.lock().expect("nobody panics with it").take() {
            planned.0.at(&order, &Point::Committed(what));
        }
        Ok(())
    }
}

pub(crate) async fn run() -> kinoko::Result<()> {
    // It ends with the test, also where that was killed.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        std::process::exit(0)
    });
    App::new().settings(Settings::load()?).service::<Effects>().run().await
}
