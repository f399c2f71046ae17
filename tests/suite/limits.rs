//! How many workers run at once, and that waiting for each other ends no service.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kinoko::{Settings, prelude::*};
use tokio::sync::Semaphore;

/// Counts the workers in it until it is opened.
#[derive(Clone)]
struct Gauge(Arc<Counts>);

struct Counts {
    now: AtomicUsize,
    most: AtomicUsize,
    gate: Semaphore,
}

// Each test runs on a thread of its own, so this is one gauge per test.
thread_local! {
    static GAUGE: Gauge = Gauge(Arc::new(Counts { now: AtomicUsize::new(0), most: AtomicUsize::new(0), gate: Semaphore::new(0) }));
}

impl Dependency for Gauge {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(GAUGE.with(Clone::clone))
    }
}

impl Gauge {
    async fn pass(&self) {
        let counts = &self.0;
        let now = counts.now.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most.fetch_max(now, Ordering::SeqCst);
        counts.gate.acquire().await.unwrap().forget();
        counts.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Dependencies)]
struct Limited {
    gauge: Gauge,
}

#[service(name = "limits_limited", max_workers = 5)]
impl Limited {
    #[rpc]
    async fn work(&self) {
        self.gauge.pass().await;
    }

    #[rpc(max_workers = 2)]
    async fn few(&self) {
        self.gauge.pass().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_workers_run_than_the_service_and_the_method_allow() {
    let app = App::new().service::<Limited>().start().await.unwrap();
    let client = app.client::<LimitedClient>();
    let Gauge(counts) = GAUGE.with(Clone::clone);
    for (few, expected) in [(false, 5), (true, 2)] {
        counts.most.store(0, Ordering::SeqCst);
        let mut pending = Vec::new();
        for _ in 0..20 {
            let call = if few { client.few() } else { client.work() };
            pending.push(call.send().await.unwrap());
        }
        // The clock is paused: this ends when nothing else can move.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(counts.now.load(Ordering::SeqCst), expected);
        counts.gate.add_permits(20);
        for reply in pending {
            reply.await.unwrap();
        }
        assert_eq!(counts.most.load(Ordering::SeqCst), expected);
    }
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Ping {
    pong: PongClient,
}

#[derive(Dependencies)]
struct Pong {
    ping: PingClient,
}

#[service(name = "limits_ping")]
impl Ping {
    // A limit of the method's own is no trap either.
    #[rpc(max_workers = 1)]
    async fn down(&self, depth: u32) -> kinoko::Result<u32> {
        if depth == 0 { Ok(0) } else { Ok(self.pong.down(depth - 1).await? + 1) }
    }
}

#[service(name = "limits_pong")]
impl Pong {
    #[rpc]
    async fn down(&self, depth: u32) -> kinoko::Result<u32> {
        if depth == 0 { Ok(0) } else { Ok(self.ping.down(depth - 1).await? + 1) }
    }
}

#[tokio::test]
async fn services_that_call_each_other_in_a_circle_do_not_stand_still() {
    for max_workers in [1, 2, 10] {
        let settings = Settings::from_yaml(&format!("max_workers: {max_workers}")).unwrap();
        let app = App::new().settings(settings).service::<Ping>().service::<Pong>().start().await.unwrap();
        let ping = app.client::<PingClient>();
        let mut pending = Vec::new();
        for _ in 0..40 {
            pending.push(ping.down(9).timeout(Duration::from_secs(20)).send().await.unwrap());
        }
        for reply in pending {
            assert_eq!(reply.await.unwrap(), 9);
        }
        assert_eq!(app.running_workers(), 0);
        app.stop().await.unwrap();
    }
}

#[tokio::test]
async fn no_workers_at_all_is_refused() {
    let settings = Settings::from_yaml("max_workers: 0").unwrap();
    let error = App::new().settings(settings).service::<Ping>().start().await.unwrap_err();
    assert_eq!(error.to_string(), "setting `max_workers` (from line 1): 0 would never run anything; the least is 1");
}
