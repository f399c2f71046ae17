//! What a program lacks, its readiness tells.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kinoko::{RunningApp, SetupContext, prelude::*};
use kinoko_tests::{Direction, Proxy, eventually};

use super::{Gate, Ledger, LedgerClient, TestApp};

const LIMIT: Duration = Duration::from_secs(20);

async fn until(app: &RunningApp, is_ready: bool) -> String {
    let told = || async {
        let readiness = app.readiness();
        (readiness.is_ready() == is_ready).then(|| readiness.to_string())
    };
    eventually(LIMIT, "another readiness", told).await
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn a_program_whose_database_is_away_is_not_ready() {
    let database = super::postgres().await;
    let proxy = Proxy::to(database.url());
    let url = proxy.uri(database.url());
    let app = TestApp::new().service::<Ledger>().replace(Gate::default());
    let app = app.yaml(&format!("database: {{url: '{url}', acquire_timeout: 500ms}}")).start().await.unwrap();
    let client = app.client::<LedgerClient>();
    assert_eq!(app.readiness().to_string(), "ready");
    client.enter(1, 1, String::new()).await.unwrap();

    drop(proxy);
    // It notices at once, by what fails.
    client.enter(2, 1, String::new()).await.unwrap_err();
    let told = until(&app, false).await;
    assert!(told.starts_with("not ready: no connection to postgres://"), "{told}");
    let error = client.enter(2, 1, String::new()).await.unwrap_err().to_string();
    assert!(error.contains("beginning a transaction on postgres://"), "{error}");
    app.stop().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn a_program_whose_database_is_back_is_ready_again() {
    let database = super::postgres().await;
    let proxy = Proxy::to(database.url());
    let url = proxy.uri(database.url());
    let app = TestApp::new().service::<Ledger>().replace(Gate::default());
    let app = app.yaml(&format!("database: {{url: '{url}', acquire_timeout: 500ms}}")).start().await.unwrap();
    // Nothing is asked of it, and nobody closes the connections: the probe finds out.
    proxy.hold(Direction::ToClients);
    let told = until(&app, false).await;
    assert!(told.contains("no answer within 5s"), "{told}");
    proxy.lose();
    until(&app, true).await;
    app.client::<LedgerClient>().enter(1, 1, String::new()).await.unwrap();
    assert_eq!(super::entries(&database).await, [1]);
    app.stop().await.unwrap();
}

/// A provider of one's own.
#[derive(Clone, Default)]
struct Cache(Arc<AtomicBool>);

impl Dependency for Cache {
    type Options = ();
    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(cx.require::<Shared>().await?.0)
    }
    fn unready(&self) -> Option<String> {
        self.0.load(Ordering::Relaxed).then(|| "the cache is away".to_owned())
    }
}

/// What the test has a hand on.
#[derive(Clone)]
struct Shared(Cache);

impl Dependency for Shared {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(Cache::default()))
    }
}

#[derive(Dependencies)]
struct Cached {
    #[allow(dead_code, reason = "it is asked whether it is ready")]
    cache: Cache,
}

#[service(name = "cached")]
impl Cached {
    #[rpc]
    fn nothing(&self) {}
}

#[tokio::test]
async fn a_dependency_says_that_it_is_not_ready() {
    let cache = Cache::default();
    let app = TestApp::new().service::<Cached>().replace(Shared(cache.clone())).start().await.unwrap();
    assert!(app.readiness().is_ready());
    cache.0.store(true, Ordering::Relaxed);
    assert_eq!(app.readiness().to_string(), "not ready: service `cached`: the cache is away");
    cache.0.store(false, Ordering::Relaxed);
    assert!(app.readiness().is_ready());
    app.stop().await.unwrap();
}
