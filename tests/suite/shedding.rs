//! What comes too late is not begun: the callers of a service that is asked for too much.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use kinoko::{CallError, prelude::*, testing::TestApp};
use tokio::time::sleep;

#[derive(Clone, Default)]
struct Begun(Arc<AtomicUsize>);

impl Dependency for Begun {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

#[derive(Dependencies)]
struct Kitchen {
    begun: Begun,
}

#[service(name = "shedding_kitchen", max_workers = 1)]
impl Kitchen {
    #[rpc]
    #[http(GET, "/cook/{millis}", timeout = "950ms")]
    async fn cook(&self, millis: u64) -> u64 {
        self.begun.0.fetch_add(1, SeqCst);
        sleep(Duration::from_millis(millis)).await;
        millis
    }
}

async fn kitchen(settings: &str) -> (kinoko::testing::RunningTestApp, Begun) {
    let begun = Begun::default();
    let app = TestApp::new().service::<Kitchen>().replace(begun.clone()).yaml(settings).start().await.unwrap();
    (app, begun)
}

/// Twenty calls at once, for each of which somebody waits 950 ms: how many were answered, refused as busy, and begun.
async fn twenty(app: &kinoko::testing::RunningTestApp, begun: &Begun) -> (usize, usize, usize) {
    let hook = app.hook().timeout(Duration::from_millis(950));
    let kitchen = hook.client::<KitchenClient>();
    // So that it is known how long one takes.
    kitchen.cook(100).await.unwrap();
    begun.0.store(0, SeqCst);
    let calls: Vec<_> =
        (0..20).map(|_| tokio::spawn(std::future::IntoFuture::into_future(kitchen.cook(100)))).collect();
    let (mut answered, mut busy) = (0, 0);
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => answered += 1,
            Err(CallError::Remote(fault)) => {
                assert_eq!((fault.code.as_deref(), fault.retryable), (Some("BUSY"), Some(true)), "{fault}");
                busy += 1;
            }
            Err(CallError::Timeout(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    (answered, busy, begun.0.load(SeqCst))
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_in_time_is_not_begun() {
    let (app, begun) = kitchen("{}").await;
    assert_eq!(twenty(&app, &begun).await, (9, 11, 9), "the others are told that nothing has run");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_wants_it_otherwise_says_so() {
    let (app, begun) = kitchen("shed_late: false").await;
    assert_eq!(twenty(&app, &begun).await, (9, 0, 10), "the tenth was begun for nobody");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_over_http_are_not_begun_either() {
    let (app, begun) = kitchen("{}").await;
    assert_eq!(app.http().get("/cook/100").send().await.unwrap().status(), 200);
    begun.0.store(0, SeqCst);
    let requests: Vec<_> = (0..12).map(|_| tokio::spawn(app.http().get("/cook/100").send())).collect();
    let mut statuses = Vec::new();
    for request in requests {
        statuses.push(request.await.unwrap().unwrap().status());
    }
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((count(200), count(503), begun.0.load(SeqCst)), (9, 3, 9), "{statuses:?}");
    app.stop().await.unwrap();
}

/// What was slow once refuses nobody for ever.
#[tokio::test(start_paused = true)]
async fn who_did_not_wait_is_always_begun() {
    let (app, begun) = kitchen("{}").await;
    let kitchen = app.hook().client::<KitchenClient>();
    kitchen.cook(5_000).await.unwrap();
    for _ in 0..3 {
        assert_eq!(kitchen.cook(100).timeout(Duration::from_millis(500)).await.unwrap(), 100);
    }
    assert_eq!(begun.0.load(SeqCst), 4);
    app.stop().await.unwrap();
}
