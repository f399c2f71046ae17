//! Sagas: steps forward and back, what is not known, signals, and processes that end.

mod back;
mod forward;
mod host;
mod kept;
mod matrix;
mod operations;
mod parked;
mod takeover;
mod unknown;
mod waits;
mod wake;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use kinoko::{
    prelude::*,
    saga::{Outcome, SagaStatus},
};
use serde::{Deserialize, Serialize};

/// What the steps of one test did, and what they are to do.
#[derive(Clone, Default, Debug)]
pub(crate) struct Journal(Arc<Mutex<Notes>>);

#[derive(Default, Debug)]
struct Notes {
    lines: Vec<String>,
    plans: HashMap<&'static str, Vec<Plan>>,
}

/// How one attempt ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plan {
    Refuse,
    RefuseForNow,
    Panic,
    Hang,
}

impl Dependency for Journal {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

impl Journal {
    /// The next attempts at this end so; those after them succeed.
    pub(crate) fn plan(&self, step: &'static str, plans: &[Plan]) -> &Self {
        let mut plans = plans.to_vec();
        plans.reverse();
        self.0.lock().unwrap().plans.insert(step, plans);
        self
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().lines.push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().lines.clone()
    }

    /// Notes an attempt, and ends it as it was planned.
    pub(crate) async fn attempt(&self, step: &'static str, line: String) -> Result<(), ShopError> {
        self.note(line);
        let plan = self.0.lock().unwrap().plans.get_mut(step).and_then(Vec::pop);
        match plan {
            None => Ok(()),
            Some(Plan::Refuse) => Err(ShopError::Refused { what: step.to_owned() }),
            Some(Plan::RefuseForNow) => Err(ShopError::Busy),
            Some(Plan::Panic) => panic!("{step} was planned to panic"),
            Some(Plan::Hang) => std::future::pending().await,
        }
    }
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, ServiceError)]
pub(crate) enum ShopError {
    #[error("{what} was refused")]
    #[fault(retry = false)]
    Refused { what: String },
    #[error("busy")]
    #[fault(retry = true)]
    Busy,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub sku: String,
    pub price: u32,
}

pub(crate) fn order(price: u32) -> Order {
    Order { sku: "lamp".into(), price }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reservation(pub String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payment(pub u32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parcel(pub String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Receipt(pub String);

/// Four steps, of which the third is the pivot.
#[derive(Dependencies, Clone)]
pub(crate) struct PlaceOrder {
    pub journal: Journal,
}

#[saga(name = "place_order")]
impl PlaceOrder {
    #[step(compensate = release, retry(max = 3))]
    async fn reserve(&self, order: &Order) -> Result<Reservation, ShopError> {
        self.journal.attempt("reserve", format!("reserve {}", order.sku)).await?;
        Ok(Reservation(order.sku.clone()))
    }

    async fn release(&self, reservation: Reservation) -> Result<(), ShopError> {
        self.journal.attempt("release", format!("release {}", reservation.0)).await
    }

    #[step(compensate = refund, when = costs_something, timeout = "5s")]
    async fn charge(&self, order: &Order, reservation: &Reservation) -> Result<Payment, ShopError> {
        self.journal.attempt("charge", format!("charge {} for {}", order.price, reservation.0)).await?;
        Ok(Payment(order.price))
    }

    fn costs_something(&self, order: &Order) -> bool {
        order.price > 0
    }

    async fn refund(&self, payment: Outcome<Payment>, order: &Order) -> Result<(), Retry> {
        let line = match payment {
            Outcome::Done(Payment(price)) => format!("refund {price} of {}", order.price),
            Outcome::Unknown(key) => format!("refund what {key} may have charged"),
        };
        self.journal.attempt("refund", line).await.map_err(|error| Retry::because(error.to_string()))
    }

    #[step]
    async fn pack(&self, reservation: &Reservation) -> Result<Parcel, ShopError> {
        self.journal.attempt("pack", format!("pack {}", reservation.0)).await?;
        Ok(Parcel(reservation.0.clone()))
    }

    #[step(retry(max = 2))]
    async fn send(&self, parcel: &Parcel, payment: Option<&Payment>) -> Result<Receipt, ShopError> {
        self.journal.attempt("send", format!("send {}", parcel.0)).await?;
        Ok(Receipt(format!("{}, {} paid", parcel.0, payment.map_or(0, |payment| payment.0))))
    }
}

/// A saga of this test's own, on a log of its own.
pub(crate) fn place_order() -> (Saga<PlaceOrder>, Journal) {
    let journal = Journal::default();
    (kinoko::testing::saga(PlaceOrder { journal: journal.clone() }), journal)
}

/// The timeline as people read it.
pub(crate) fn timeline(status: &SagaStatus) -> Vec<String> {
    status.timeline.iter().map(|entry| entry.what.to_string()).collect()
}
