//! `ordered_by` over RabbitMQ: the order of a key's events survives instances that stop and connections that break.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kinoko::{
    prelude::*,
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::{Proxy, amqp_uri, eventually};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinHandle, time::sleep};

use super::{outside, properties};

#[derive(Serialize, Deserialize)]
struct Step {
    key: u64,
    /// Counted from 1, for each key.
    number: u64,
}

/// What has become of each key's steps, in all instances.
#[derive(Default)]
struct Book {
    keys: BTreeMap<u64, Page>,
    /// What must not be.
    trouble: Vec<String>,
    repeated: usize,
    last: usize,
}

#[derive(Default)]
struct Page {
    handled: u64,
    /// The instances that are at it.
    at_it: Vec<usize>,
}

#[derive(Clone)]
struct Ledger {
    instance: usize,
    book: Arc<Mutex<Book>>,
}

impl Dependency for Ledger {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Err(kinoko::Error::msg("the test brings it"))
    }
}

/// A step that is being worked. Dropped, with its worker, it is not any more.
struct AtIt<'a>(&'a Ledger, u64);

impl Ledger {
    fn begin(&self, step: &Step) -> AtIt<'_> {
        let Book { keys, trouble, repeated, last } = &mut *self.book.lock().unwrap();
        let (page, instance) = (keys.entry(step.key).or_default(), self.instance);
        let Step { key, number } = step;
        if *number > page.handled + 1 {
            trouble.push(format!("{number} of {key} begins in {instance}, {} is not handled", page.handled + 1));
        }
        if page.at_it.contains(&instance) {
            trouble.push(format!("{number} of {key} begins in {instance}, which is at another one"));
        }
        *repeated += usize::from(*number <= page.handled);
        *last = instance;
        page.at_it.push(instance);
        AtIt(self, step.key)
    }

    fn handled(&self, step: &Step) {
        let mut book = self.book.lock().unwrap();
        let page = book.keys.entry(step.key).or_default();
        page.handled = page.handled.max(step.number);
    }
}

impl Drop for AtIt<'_> {
    fn drop(&mut self) {
        let AtIt(ledger, key) = self;
        let mut book = ledger.book.lock().unwrap();
        let at_it = &mut book.keys.entry(*key).or_default().at_it;
        at_it.retain(|instance| *instance != ledger.instance);
    }
}

#[derive(Dependencies)]
struct Ordered {
    ledger: Ledger,
}

#[service(name = "broker_ordering")]
impl Ordered {
    #[event_handler(
        "broker_ordering",
        "step",
        ordered_by = "key",
        retry(in_place, max = 3, backoff = "20ms", jitter = false)
    )]
    async fn on_step(&self, #[inject] cx: WorkerContext, step: Step) -> Result<(), Retry> {
        let _at_it = self.ledger.begin(&step);
        sleep(Duration::from_millis(step.number % 5)).await;
        // Some fail at first, and what comes after them has to wait.
        if step.number.is_multiple_of(10) && cx.attempt() == 1 {
            return Err(Retry::because("not yet"));
        }
        self.ledger.handled(&step);
        Ok(())
    }
}

const QUEUE: &str = "evt-broker_ordering-step--broker_ordering.on_step";
const KEYS: u64 = 20;

async fn instance(instance: usize, uri: &str, book: &Arc<Mutex<Book>>) -> RunningTestApp {
    let ledger = Ledger { instance, book: book.clone() };
    TestApp::new().service::<Ordered>().broker(uri).replace(ledger).start().await.unwrap()
}

/// Sends steps of each key in turn until it is told to end; says how many of each it were.
fn feed(stop: Arc<Mutex<bool>>) -> JoinHandle<u64> {
    tokio::spawn(async move {
        let raw = kinoko_tests::Raw::connect(&amqp_uri()).await;
        for number in 1.. {
            for key in 0..KEYS {
                let body = serde_json::to_vec(&Step { key, number }).unwrap();
                assert!(raw.publish_to("broker_ordering.events", "step", &body, properties()).await);
            }
            if *stop.lock().unwrap() {
                return number;
            }
        }
        unreachable!("it counts for ever")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_keys_events_stay_in_order_while_instances_stop_and_lose_their_connection() {
    drop(outside(&[QUEUE]).await);
    let rounds: usize = std::env::var("ROUNDS").map_or(6, |r| r.parse().unwrap());
    let book = Arc::new(Mutex::new(Book::default()));
    let proxies = [(); 3].map(|()| Proxy::to(&amqp_uri()));
    let uris = proxies.each_ref().map(|proxy| proxy.uri(&amqp_uri()));
    let mut apps = Vec::new();
    for (number, uri) in uris.iter().enumerate() {
        apps.push(Some(instance(number, uri, &book).await));
    }
    let stop = Arc::new(Mutex::new(false));
    let fed = feed(stop.clone());
    for round in 0..rounds {
        sleep(Duration::from_millis(300)).await;
        let active = book.lock().unwrap().last;
        if round.is_multiple_of(2) {
            apps[active].take().unwrap().stop().await.unwrap();
            apps[active] = Some(instance(active, &uris[active], &book).await);
        } else {
            proxies[active].cut();
        }
    }
    *stop.lock().unwrap() = true;
    let fed = fed.await.unwrap();
    eventually(Duration::from_secs(60), "all is handled", || async {
        let book = book.lock().unwrap();
        book.keys.values().all(|page| page.handled == fed).then_some(())
    })
    .await;
    {
        let book = book.lock().unwrap();
        assert!(book.trouble.is_empty(), "{:#?}", &book.trouble[..book.trouble.len().min(20)]);
    }
    for app in apps.into_iter().flatten() {
        app.stop().await.unwrap();
    }
    outside(&[QUEUE]).await.delete_exchange("broker_ordering.events").await;
}
