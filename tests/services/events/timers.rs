//! Timers that fire once per fleet, over RabbitMQ: who fires, and who goes on when that one is gone.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use kinoko::{
    prelude::*,
    service::Service,
    testing::{RunningTestApp, TestApp},
    transport::{TransportOptions, connect},
};
use kinoko_tests::{Proxy, amqp_uri, captured_log, eventually};
use lapin::{Connection, ConnectionProperties, options::QueueDeleteOptions};

/// How often the timers here fire.
const EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Clone)]
struct Tick {
    instance: usize,
    at: Instant,
    /// Which multiple of `EVERY` it was for.
    number: u128,
}

/// What one instance writes into, and who it is.
#[derive(Clone)]
struct Ticks {
    instance: usize,
    all: Arc<Mutex<Vec<Tick>>>,
}

impl Dependency for Ticks {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        unreachable!("each test says who writes where")
    }
}

impl Ticks {
    fn note(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let tick = Tick { instance: self.instance, at: Instant::now(), number: now.as_nanos() / EVERY.as_nanos() };
        self.all.lock().unwrap().push(tick);
    }
}

/// A service of its own for each test: its timer's queue bears its name.
macro_rules! fleet {
    ($type:ident, $name:tt) => {
        #[derive(Dependencies)]
        struct $type {
            ticks: Ticks,
        }

        #[service(name = $name)]
        impl $type {
            #[timer(every = "200ms", once_per = "fleet")]
            fn tick(&self) {
                self.ticks.note();
            }
        }
    };
}

/// Three instances of a service.
struct Instances {
    apps: Vec<Option<RunningTestApp>>,
    all: Arc<Mutex<Vec<Tick>>>,
}

impl Instances {
    async fn start<S: Service>(uris: [String; 3]) -> Self {
        let all = Arc::default();
        let mut apps = Vec::new();
        for (instance, uri) in uris.into_iter().enumerate() {
            let ticks = Ticks { instance, all: Arc::clone(&all) };
            let app = TestApp::new().service::<S>().broker(uri).replace(ticks).start().await.unwrap();
            apps.push(Some(app));
        }
        Self { apps, all }
    }

    /// The ticks from then on that come next.
    async fn next(&self, count: usize, since: Instant, wanted: impl Fn(&Tick) -> bool) -> Vec<Tick> {
        eventually(Duration::from_secs(20), "the timer fires", || async {
            let all = self.all.lock().unwrap();
            let ticks: Vec<_> = all.iter().filter(|tick| tick.at >= since && wanted(tick)).cloned().collect();
            (ticks.len() >= count).then_some(ticks)
        })
        .await
    }

    /// Who fires, when it has fired ten times without a gap and alone.
    async fn leader(&self, since: Instant) -> usize {
        let ticks = self.next(10, since, |_| true).await;
        for pair in ticks.windows(2) {
            assert_eq!((pair[1].instance, pair[1].number), (pair[0].instance, pair[0].number + 1), "{ticks:?}");
        }
        ticks[0].instance
    }

    async fn stop(self) {
        for app in self.apps.into_iter().flatten() {
            app.stop().await.unwrap();
        }
    }
}

fleet!(Stopped, "timers_fleet_stopped");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn one_of_three_instances_fires_and_another_goes_on_when_it_stops() {
    let mut instances = Instances::start::<Stopped>([amqp_uri(), amqp_uri(), amqp_uri()]).await;
    for _ in 0..2 {
        let leader = instances.leader(Instant::now()).await;
        let stopped = Instant::now();
        instances.apps[leader].take().unwrap().stop().await.unwrap();
        let next = instances.next(1, stopped, |tick| tick.instance != leader).await;
        let gap = next[0].at - stopped;
        assert!(gap < Duration::from_secs(1), "{gap:?}");
    }
    let last = instances.leader(Instant::now()).await;
    assert!(instances.apps[last].is_some());
    instances.stop().await;
}

fleet!(CutOff, "timers_fleet_cut_off");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn another_instance_goes_on_when_the_one_that_fires_loses_its_connection() {
    let proxies = [(); 3].map(|()| Proxy::to(&amqp_uri()));
    let uris = proxies.each_ref().map(|proxy| proxy.uri(&amqp_uri()));
    let instances = Instances::start::<CutOff>(uris).await;
    let mut leader = instances.leader(Instant::now()).await;
    for _ in 0..3 {
        let cut = Instant::now();
        proxies[leader].cut();
        let next = instances.next(1, cut, |tick| tick.instance != leader).await;
        let gap = next[0].at - cut;
        assert!(gap < Duration::from_secs(2), "{gap:?}");
        // Who was cut off is back before the next one is, and waits for its turn.
        leader = instances.leader(next[0].at).await;
    }
    instances.stop().await;
}

fleet!(Deleted, "timers_fleet_deleted");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn one_instance_fires_again_when_the_queue_was_deleted() {
    let instances = Instances::start::<Deleted>([amqp_uri(), amqp_uri(), amqp_uri()]).await;
    instances.leader(Instant::now()).await;
    let meddler = Connection::connect(&amqp_uri(), ConnectionProperties::default()).await.unwrap();
    let channel = meddler.create_channel().await.unwrap();
    let deleted = Instant::now();
    channel.queue_delete("kinoko.timer-timers_fleet_deleted.tick".into(), QueueDeleteOptions::default()).await.unwrap();
    // In the first moment who led may fire, and somebody else as well.
    let settled = deleted + Duration::from_secs(3);
    let ticks = instances.next(1, settled, |_| true).await;
    assert!(ticks[0].at - settled < Duration::from_secs(1), "{ticks:?}");
    instances.leader(ticks[0].at).await;
    meddler.close(200, "done".into()).await.unwrap();
    instances.stop().await;
}

#[derive(Dependencies)]
struct Early {
    late: LateClient,
}

#[service(name = "timers_early")]
impl Early {
    #[timer(every = "1h", eager)]
    async fn look(&self) -> kinoko::Result<()> {
        Ok(self.late.here().await?)
    }
}

/// It takes its time to start: each queue of a timer is replicated.
#[derive(Dependencies)]
struct Between;

#[service(name = "timers_between")]
impl Between {
    #[timer(every = "1h", once_per = "fleet")]
    fn one(&self) {}
    #[timer(every = "1h", once_per = "fleet")]
    fn two(&self) {}
    #[timer(every = "1h", once_per = "fleet")]
    fn three(&self) {}
}

#[derive(Dependencies)]
struct Late;

#[service(name = "timers_late")]
impl Late {
    #[rpc]
    fn here(&self) {}
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_timer_begins_when_all_services_of_its_program_take_calls() {
    captured_log();
    // As in the first start ever: in a queue that is left from before, the call would wait.
    let transport = connect(&amqp_uri(), TransportOptions::default()).await.unwrap();
    for queue in ["rpc-timers_late", "kinoko.rpc-timers_late"] {
        assert!(transport.remove_queue(&queue.into()).await.unwrap());
    }
    transport.close().await;
    let app = TestApp::new().service::<Early>().service::<Between>().service::<Late>();
    let app = app.broker(amqp_uri()).start().await.unwrap();
    let done = r#"worker done service="timers_early" method="look""#;
    let failed = r#"worker failed service="timers_early" method="look""#;
    let log = eventually(Duration::from_secs(10), "it fires", || async {
        let log = captured_log();
        (log.contains(done) || log.contains(failed)).then_some(log)
    })
    .await;
    assert!(!log.contains(failed), "{log}");
    app.stop().await.unwrap();
}
