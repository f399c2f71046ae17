//! What one process asks for, or gives out of hand, another one does at once where the database can tell it: half a lease is half an hour
//! here.

use std::{collections::BTreeSet, sync::Mutex};

use kinoko::{
    prelude::*,
    saga::{SagaId, SagaState, SagaStore},
    testing::{RunningTestApp, TestApp, TestDatabase},
};
use kinoko_tests::{eventually, postgres_url};
use serde::{Deserialize, Serialize};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

/// What was submitted once: the first attempt is refused.
static SUBMITTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

#[derive(Debug, thiserror::Error, ServiceError)]
enum Refused {
    #[error("busy")]
    #[fault(retry = true)]
    Busy,
}

#[derive(Serialize, Deserialize)]
struct Draft {
    text: String,
    /// Whether somebody has to approve it.
    approval: bool,
}

#[derive(Dependencies)]
struct Publish;

#[saga(name = "publish")]
impl Publish {
    #[step(compensate = withdraw, retry(max = 3, backoff = "1h..1h", jitter = false))]
    fn submit(&self, draft: &Draft) -> Result<usize, Refused> {
        match draft.text.starts_with("busy") && SUBMITTED.lock().unwrap().insert(draft.text.clone()) {
            true => Err(Refused::Busy),
            false => Ok(draft.text.len()),
        }
    }

    fn withdraw(&self, _: usize) {}

    #[wait(signal = "approve", timeout = "24h", when = needs_approval, compensate = none)]
    fn approved(&self, by: String) -> String {
        by
    }

    fn needs_approval(&self, draft: &Draft) -> bool {
        draft.approval
    }

    #[step]
    fn print(&self) {}
}

#[derive(Dependencies)]
struct Publishers {
    publish: Saga<Publish>,
}

#[service(name = "saga_publishers")]
impl Publishers {
    #[rpc]
    async fn publish(&self, text: String, approval: bool) -> kinoko::Result<()> {
        drop(self.publish.start("1", Draft { text, approval }).await?);
        Ok(())
    }
}

/// Hosts none.
#[derive(Dependencies)]
struct Desk {
    sagas: SagaStore,
}

#[service(name = "saga_desk")]
impl Desk {
    #[rpc]
    async fn cancel(&self) -> kinoko::Result<()> {
        Ok(self.sagas.cancel(&SagaId::new("publish", "1")).await?)
    }

    #[rpc]
    async fn state(&self) -> kinoko::Result<(SagaState, String)> {
        let status = self.sagas.status(&SagaId::new("publish", "1")).await?.expect("it was started");
        let last = status.timeline.last().map(|entry| entry.what.to_string()).unwrap_or_default();
        Ok((status.instance.state, last))
    }
}

struct Fleet {
    database: TestDatabase,
    settings: String,
    desk: RunningTestApp,
}

impl Fleet {
    async fn new() -> Self {
        let database = TestDatabase::postgres(&postgres_url()).await.unwrap();
        let settings = format!("saga: {{ log: '{}', lease: 1h }}", database.url());
        let desk = TestApp::new().service::<Desk>().yaml(&settings).start().await.unwrap();
        Self { database, settings, desk }
    }

    async fn instance(&self) -> RunningTestApp {
        TestApp::new().service::<Publishers>().yaml(&self.settings).start().await.unwrap()
    }

    async fn until(&self, what: &str, is_so: impl Fn(SagaState, &str) -> bool) {
        eventually(LIMIT, what, || async {
            let (state, last) = self.desk.client::<DeskClient>().state().await.unwrap();
            is_so(state, &last).then_some(())
        })
        .await;
    }

    async fn end(self, instances: impl IntoIterator<Item = RunningTestApp>) {
        for instance in instances {
            instance.stop().await.unwrap();
        }
        self.desk.stop().await.unwrap();
        drop(self.database);
    }
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn what_waits_for_a_signal_is_cancelled_at_once() {
    let fleet = Fleet::new().await;
    let app = fleet.instance().await;
    app.client::<PublishersClient>().publish("an ode".into(), true).await.unwrap();
    fleet.until("it waits", |_, last| last.starts_with("waits approved")).await;
    fleet.desk.client::<DeskClient>().cancel().await.unwrap();
    fleet.until("it is taken back", |state, _| state == SagaState::Compensated).await;
    fleet.end([app]).await;
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn what_is_between_two_attempts_is_cancelled_at_once() {
    let fleet = Fleet::new().await;
    let app = fleet.instance().await;
    app.client::<PublishersClient>().publish("busy: cancelled".into(), false).await.unwrap();
    fleet.until("it pauses", |_, last| last.starts_with("failed submit")).await;
    fleet.desk.client::<DeskClient>().cancel().await.unwrap();
    fleet.until("it is taken back", |state, _| state == SagaState::Compensated).await;
    fleet.end([app]).await;
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn what_a_stopping_process_gives_out_of_hand_goes_on_at_once() {
    let fleet = Fleet::new().await;
    let (first, second) = (fleet.instance().await, fleet.instance().await);
    first.client::<PublishersClient>().publish("busy: handed over".into(), false).await.unwrap();
    fleet.until("it pauses", |_, last| last.starts_with("failed submit")).await;
    first.stop().await.unwrap();
    fleet.until("the other one does it", |state, _| state == SagaState::Completed).await;
    fleet.end([second]).await;
}
