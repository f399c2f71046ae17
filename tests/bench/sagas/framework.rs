//! The saga as a user writes it, and its steps without a saga.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use kinoko::{App, RunningApp, Settings, prelude::*, saga::SagaOptions};
use serde::{Deserialize, Serialize};

use crate::{
    Failed,
    load::{self, Clock, Done, Load},
};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) sku: String,
    pub(crate) price: u64,
}

impl Order {
    pub(crate) fn one() -> Self {
        Self { sku: "lamp".into(), price: 30 }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Reserved(pub(crate) u64);

#[derive(Serialize, Deserialize)]
pub(crate) struct Charged(pub(crate) u64);

#[derive(Serialize, Deserialize)]
pub(crate) struct Packed(pub(crate) String);

#[derive(Dependencies, Clone)]
pub(crate) struct Fulfil;

#[saga(name = "fulfil")]
impl Fulfil {
    #[step(compensate = release)]
    async fn reserve(&self, order: &Order) -> Result<Reserved, Infallible> {
        Ok(Reserved(order.price + 1))
    }

    fn release(&self, reserved: Reserved) {
        let _ = reserved;
    }

    #[step(compensate = refund)]
    async fn charge(&self, order: &Order) -> Result<Charged, Infallible> {
        Ok(Charged(order.price))
    }

    fn refund(&self, charged: Charged) {
        let _ = charged;
    }

    #[step(compensate = unpack)]
    async fn pack(&self, order: &Order, reserved: &Reserved) -> Result<Packed, Infallible> {
        Ok(Packed(format!("{}, reservation {}", order.sku, reserved.0)))
    }

    fn unpack(&self, packed: Packed) {
        let _ = packed;
    }

    #[step]
    async fn ship(&self, packed: &Packed, charged: &Charged) -> Result<String, Infallible> {
        Ok(format!("{}, {} paid", packed.0, charged.0))
    }
}

impl Fulfil {
    /// The four steps, and nothing else.
    async fn bare(&self, order: &Order) -> Result<String, Infallible> {
        let reserved = self.reserve(order).await?;
        let charged = self.charge(order).await?;
        let packed = self.pack(order, &reserved).await?;
        self.ship(&packed, &charged).await
    }
}

/// What comes out of it.
pub(crate) const RECEIPT: &str = "lamp, reservation 31, 30 paid";

pub(crate) async fn bare(run: Load) -> Result<Done, Failed> {
    load::run(run, Clock::Seldom, || async {
        // Else a run of this much would never give its thread back.
        tokio::task::consume_budget().await;
        shipped(&Fulfil.bare(&Order::one()).await?)
    })
    .await
}

fn shipped(receipt: &str) -> Result<(), Failed> {
    if receipt == RECEIPT { Ok(()) } else { Err(format!("it ended with {receipt}").into()) }
}

/// The field of a service, with which the benchmark starts sagas without a call between them and it.
#[derive(Clone)]
struct Hosted(Saga<Fulfil>);

static HOSTED: Mutex<Option<Saga<Fulfil>>> = Mutex::new(None);

impl Dependency for Hosted {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        let saga = Saga::setup(cx, SagaOptions::default()).await?;
        *HOSTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(saga.clone());
        Ok(Self(saga))
    }

    async fn start(&self) -> kinoko::Result<()> {
        Dependency::start(&self.0).await
    }

    async fn stop(&self) -> kinoko::Result<()> {
        Dependency::stop(&self.0).await
    }
}

#[derive(Dependencies)]
struct Shop {
    #[allow(dead_code, reason = "the benchmark has it from `HOSTED`")]
    fulfil: Hosted,
}

#[service(name = "bench_sagas", client = false)]
impl Shop {
    /// A service does something.
    #[rpc]
    fn idle(&self) {}
}

/// A service that hosts the saga, with a log at this URL.
pub(crate) struct Host {
    _app: RunningApp,
    saga: Saga<Fulfil>,
    started: Arc<AtomicU64>,
}

impl Host {
    pub(crate) async fn start(log: &str) -> Result<Self, Failed> {
        let settings = Settings::from_yaml(&format!("saga: {{log: '{log}'}}\nlog: warn"))?;
        let app = App::new().service::<Shop>().settings(settings).broker("memory://").start().await?;
        let saga = HOSTED.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or("the service has it")?;
        Ok(Self { _app: app, saga, started: Arc::default() })
    }

    pub(crate) async fn load(&self, run: Load) -> Result<Done, Failed> {
        let (saga, started) = (self.saga.clone(), self.started.clone());
        load::run(run, Clock::EveryCall, move || {
            let (saga, number) = (saga.clone(), started.fetch_add(1, Ordering::Relaxed));
            async move { shipped(&saga.start(format!("order-{number}"), Order::one()).await?.await?) }
        })
        .await
    }
}
