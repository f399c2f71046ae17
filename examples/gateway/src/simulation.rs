use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::books::Books;

/// What goes wrong at the gateway from now on. Default: nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switch {
    /// How long an answer takes, in milliseconds. What is asked for is done before: whoever does not wait does not know. Default: 0.
    pub latency_ms: u64,
    /// The share of requests that are answered with 500, half of them with their work done all the same. Default: 0.
    pub errors: f64,
    /// Whether it works at all. Default: it does.
    pub outage: Option<Outage>,
    /// An order whose charges end in a 500 and are not made, whatever becomes of the others. Default: none.
    pub broken_order: Option<u64>,
    /// What the bank declines: all above it, in cents. Default: 1,000,000.
    pub limit_cents: u64,
}

/// How a gateway is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// Every request is answered with 503, at once.
    Refuses,
    /// No request is answered.
    Silent,
}

impl Default for Switch {
    fn default() -> Self {
        Self { latency_ms: 0, errors: 0.0, outage: None, broken_order: None, limit_cents: 1_000_000 }
    }
}

impl Switch {
    /// Down, in this way.
    pub fn down(outage: Outage) -> Self {
        Self { outage: Some(outage), ..Self::default() }
    }

    /// Well, and this slow.
    pub fn slow(latency: Duration) -> Self {
        Self { latency_ms: u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), ..Self::default() }
    }
}

/// What the gateway has done since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests that arrived, answered or not; those for the switch and the counts apart.
    pub requests: u64,
    /// How often money was taken.
    pub charges: u64,
    /// For how many orders.
    pub orders: u64,
    /// How often it was given back.
    pub refunds: u64,
}

/// The gateway behind its door. Its clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Simulation(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    switch: Switch,
    requests: u64,
    books: Books,
}

impl Simulation {
    pub(crate) fn switch(&self, switch: Switch) {
        self.inner().switch = switch;
    }

    pub(crate) fn counts(&self) -> Counts {
        let inner = self.inner();
        Counts {
            requests: inner.requests,
            charges: inner.books.charged,
            orders: inner.books.orders.len() as u64,
            refunds: inner.books.refunded,
        }
    }

    /// Works a request, as the switch stands when it arrives.
    ///
    /// # Errors
    ///
    /// What it is told to do wrong.
    pub(crate) async fn work<T>(&self, work: impl FnOnce(&mut Books, &Switch) -> T) -> Result<T, StatusCode> {
        let switch = self.arrived();
        match switch.outage {
            Some(Outage::Refuses) => return Err(StatusCode::SERVICE_UNAVAILABLE),
            Some(Outage::Silent) => pending().await,
            None => {}
        }
        let fails = fastrand::f64() < switch.errors;
        let done = (!fails || fastrand::bool()).then(|| work(&mut self.inner().books, &switch));
        sleep(Duration::from_millis(switch.latency_ms)).await;
        done.filter(|_| !fails).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn arrived(&self) -> Switch {
        let mut inner = self.inner();
        inner.requests += 1;
        inner.switch.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
