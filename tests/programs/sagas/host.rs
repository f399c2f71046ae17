//! Runs sagas of four steps, whose log is one that ends the process around its transitions.

use std::{
    collections::HashMap,
    future::Future,
    io::BufRead,
    pin::pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::stream::BoxStream;
use kinoko::{
    prelude::*,
    saga::{
        Claim, Claimed, Holder, Instance, Lease, LogError, NewSaga, News, Outcome, SagaFilter, SagaId, SagaLog,
        SagaStore, Started, TimelineEntry, Transition,
    },
    sql::{Database, SqlLog},
    testing::TestApp,
};
use kinoko_tests::{Order, Point};
use serde::{Deserialize, Serialize};
use tokio::{select, sync::mpsc};

use super::{
    Planned,
    effects::{EffectsClient, NotDone},
};

#[derive(Serialize, Deserialize)]
struct Reserved(String);

#[derive(Serialize, Deserialize)]
struct Charged(String);

#[derive(Serialize, Deserialize)]
struct Packed(String);

#[derive(Serialize, Deserialize)]
struct Shipped(String);

#[derive(Dependencies)]
struct Fulfil {
    effects: EffectsClient,
    planned: Planned,
}

#[saga(name = "fulfil")]
impl Fulfil {
    #[step(compensate = release, retry(max = 50, backoff = "20ms..200ms"))]
    async fn reserve(&self, order: &Order) -> Result<Reserved, CallError<NotDone>> {
        self.apply(order, "reserve").await.map(Reserved)
    }

    async fn release(&self, reserved: Outcome<Reserved>, order: &Order) -> Result<(), Retry> {
        self.undo(order, "reserve", done(reserved).map(|reserved| reserved.0)).await
    }

    /// Two attempts, so that it is left without anybody knowing whether it happened.
    #[step(compensate = refund, retry(max = 2, backoff = "20ms..200ms"))]
    async fn charge(&self, order: &Order) -> Result<Charged, CallError<NotDone>> {
        self.apply(order, "charge").await.map(Charged)
    }

    async fn refund(&self, charged: Outcome<Charged>, order: &Order) -> Result<(), Retry> {
        self.undo(order, "charge", done(charged).map(|charged| charged.0)).await
    }

    #[step(compensate = unpack, retry(max = 50, backoff = "20ms..200ms"))]
    async fn pack(&self, order: &Order) -> Result<Packed, CallError<NotDone>> {
        self.apply(order, "pack").await.map(Packed)
    }

    async fn unpack(&self, packed: Outcome<Packed>, order: &Order) -> Result<(), Retry> {
        self.undo(order, "pack", done(packed).map(|packed| packed.0)).await
    }

    #[step(retry(max = 50, backoff = "20ms..200ms"))]
    async fn ship(&self, order: &Order) -> Result<Shipped, CallError<NotDone>> {
        self.apply(order, "ship").await.map(Shipped)
    }
}

fn done<T>(outcome: Outcome<T>) -> Option<T> {
    match outcome {
        Outcome::Done(output) => Some(output),
        Outcome::Unknown(_) => None,
    }
}

impl Fulfil {
    async fn apply(&self, order: &Order, what: &str) -> Result<String, CallError<NotDone>> {
        let asked = self.effects.apply(order.clone(), what.to_owned()).send().await?;
        self.planned.0.at(order, &Point::Asked(what.to_owned()));
        let answer = asked.await;
        self.answered(order, what);
        answer
    }

    async fn undo(&self, order: &Order, what: &str, receipt: Option<String>) -> Result<(), Retry> {
        let again = |error: &dyn std::fmt::Display| Retry::because(error.to_string());
        let asked =
            self.effects.undo(order.clone(), what.to_owned(), receipt).send().await.map_err(|error| again(&error))?;
        let undone = format!("undo {what}");
        self.planned.0.at(order, &Point::Asked(undone.clone()));
        let answer = asked.await.map_err(|error| again(&error));
        self.answered(order, &undone);
        answer
    }

    fn answered(&self, order: &Order, what: &str) {
        self.planned.0.at(order, &Point::Answered(what.to_owned()));
        self.planned.0.at(order, &Point::Stalled(what.to_owned()));
    }
}

#[derive(Dependencies)]
struct Shop {
    fulfil: Saga<Fulfil>,
}

#[service(name = "faults_shop")]
impl Shop {
    /// Returns when the saga is in the log.
    #[rpc]
    async fn place(&self, order: Order) -> kinoko::Result<()> {
        drop(self.fulfil.start(order.id.clone(), order).await?);
        Ok(())
    }
}

/// The log, which ends the process where an order says so.
struct DeadlyLog {
    log: SqlLog<kinoko::sql::Any>,
    planned: Planned,
    orders: Mutex<HashMap<String, Order>>,
}

impl DeadlyLog {
    fn know(&self, id: &SagaId, input: &kinoko::Value) {
        let order = serde_json::from_value(input.clone()).expect("sagas of the proof are orders");
        self.orders.lock().expect("nobody panics with it").insert(id.id.clone(), order);
    }

    /// Makes a transition.
    async fn change<T>(&self, id: &SagaId, number: u64, change: impl Future<Output = T>) -> T {
        let order = self.orders.lock().expect("nobody panics with it")[&id.id].clone();
        let kills = &self.planned.0;
        kills.at(&order, &Point::Before(number));
        let mut change = pin!(change);
        let sent = Point::Sent(number);
        let early = match kills.is_due(&order, &sent) {
            true => {
                let early = select! {
                    biased;
                    done = &mut change => Some(done),
                    () = a_moment() => None,
                };
                kills.at(&order, &sent);
                early
            }
            false => None,
        };
        let done = match early {
            Some(done) => done,
            None => change.await,
        };
        kills.at(&order, &Point::Written(number));
        let after = Point::After(number);
        if kills.is_due(&order, &after) {
            let kills = kills.clone();
            // It runs when whoever made the transition has gone on, as far as it could.
            tokio::spawn(async move { kills.at(&order, &after) });
        }
        done
    }
}

/// Some part of the time that a commit takes, in which it goes on.
async fn a_moment() {
    let micros = u64::from(uuid::Uuid::new_v4().as_fields().0 % 2000);
    let until = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < until {
        tokio::task::yield_now().await;
    }
}

#[kinoko::async_trait]
impl SagaLog for DeadlyLog {
    async fn start(&self, new: NewSaga, holder: &Holder) -> kinoko::Result<Started> {
        let id = new.id.clone();
        self.know(&id, &new.input);
        self.change(&id, 0, self.log.start(new, holder)).await
    }

    async fn claim(&self, claim: Claim<'_>, holder: &Holder) -> kinoko::Result<Vec<Claimed>> {
        let claimed = self.log.claim(claim, holder).await?;
        for Claimed { instance, .. } in &claimed {
            self.know(&instance.id, &instance.input);
        }
        Ok(claimed)
    }

    async fn append(&self, lease: &Lease, transition: Transition) -> Result<u64, LogError> {
        self.change(&lease.id, transition.seq, self.log.append(lease, transition)).await
    }

    async fn renew(&self, lease: &Lease) -> Result<u64, LogError> {
        self.log.renew(lease).await
    }

    async fn signal(&self, id: &SagaId, name: &str, payload: kinoko::Value) -> kinoko::Result<bool> {
        self.log.signal(id, name, payload).await
    }

    async fn load(&self, id: &SagaId) -> kinoko::Result<Option<Instance>> {
        self.log.load(id).await
    }

    async fn timeline(&self, id: &SagaId) -> kinoko::Result<Vec<TimelineEntry>> {
        self.log.timeline(id).await
    }

    async fn list(&self, filter: &SagaFilter) -> kinoko::Result<Vec<Instance>> {
        self.log.list(filter).await
    }

    async fn forget(&self, of: Claim<'_>, rested: Duration) -> kinoko::Result<usize> {
        self.log.forget(of, rested).await
    }

    fn news(&self) -> BoxStream<'static, News> {
        self.log.news()
    }
}

/// The shortest that a setting can say.
const LEASE: Duration = Duration::from_secs(1);

pub(crate) async fn run() -> kinoko::Result<()> {
    let (url, broker) = (std::env::var("LOG")?, std::env::var("BROKER")?);
    let log = SqlLog::new(Database::connect(&url).await?).await?;
    let log = DeadlyLog { log, planned: Planned::read()?, orders: Mutex::default() };
    let store = SagaStore::new(Arc::new(log)).with_lease(LEASE);
    let app = TestApp::new().broker(broker).service::<Shop>().replace(store).start().await?;
    let shop = app.hook().client::<ShopClient>();
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        let place = shop.place(order);
        // Whoever ordered orders again where it does not succeed.
        tokio::spawn(async move { place.await.ok() });
    }
    app.stop().await
}

/// One for each line.
fn orders() -> mpsc::UnboundedReceiver<Order> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let order = serde_json::from_str(&line).expect("each line is an order");
            if sender.send(order).is_err() {
                return;
            }
        }
    });
    receiver
}
