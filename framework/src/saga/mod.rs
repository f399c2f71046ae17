//! Durable sagas: steps that call other services, and what takes them back when a later one fails.
//!
//! A saga is a struct with dependencies whose impl block is marked [`#[saga]`](macro@crate::saga). A service hosts it by a field
//! [`Saga<P>`](Saga). Each step is written to a [`SagaLog`] before it is run and when it is done, so that any instance of the service goes
//! on with a saga whose process ended. `docs/guide/20-sagas.md` is the guide.
//!
//! ```
//! use kinoko::{prelude::*, saga::Outcome};
//! use serde::{Deserialize, Serialize};
//!
//! # #[derive(Dependencies)] struct Inventory;
//! # #[service(name = "inventory")]
//! # impl Inventory {
//! #     #[rpc] fn reserve(&self, sku: String) -> Result<u64, SoldOut> { if sku == "fog" { Err(SoldOut) } else { Ok(7) } }
//! #     #[rpc] fn release(&self, reservation: u64) {}
//! # }
//! #[derive(Serialize, Deserialize)]
//! pub struct Order { sku: String }
//!
//! #[derive(Serialize, Deserialize)]
//! pub struct Reservation(u64);
//!
//! #[derive(Debug, thiserror::Error, ServiceError)]
//! #[error("sold out")]
//! pub struct SoldOut;
//!
//! #[derive(Dependencies)]
//! pub struct PlaceOrder { inventory: InventoryClient }
//!
//! #[saga(name = "place_order")]
//! impl PlaceOrder {
//!     #[step(compensate = release)]
//!     async fn reserve(&self, order: &Order) -> Result<Reservation, CallError<SoldOut>> {
//!         Ok(Reservation(self.inventory.reserve(order.sku.clone()).await?))
//!     }
//!     async fn release(&self, reservation: Outcome<Reservation>) -> Result<(), Retry> {
//!         match reservation {
//!             Outcome::Done(Reservation(number)) => {
//!                 self.inventory.release(number).await.map_err(|error| Retry::because(error.to_string()))
//!             }
//!             // Reservations that nobody confirms are dropped by themselves.
//!             Outcome::Unknown(_) => Ok(()),
//!         }
//!     }
//!
//!     #[step]
//!     fn confirm(&self, order: &Order, reservation: &Reservation) -> String {
//!         format!("{} is on its way, reservation {}", order.sku, reservation.0)
//!     }
//! }
//!
//! #[derive(Dependencies)]
//! struct Orders { place_order: Saga<PlaceOrder> }
//!
//! #[service(name = "orders")]
//! impl Orders {
//!     #[rpc]
//!     async fn place(&self, number: u32, order: Order) -> kinoko::Result<String> {
//!         Ok(self.place_order.start(format!("order-{number}"), order).await?.await?)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
//! let app = App::new().service::<Inventory>().service::<Orders>().start().await?;
//! let orders = app.client::<OrdersClient>();
//! assert_eq!(orders.place(1, Order { sku: "lamp".into() }).await?, "lamp is on its way, reservation 7");
//! let error = orders.place(2, Order { sku: "fog".into() }).await.unwrap_err();
//! assert!(error.to_string().ends_with("sold out"), "{error}");
//! # app.stop().await }
//! ```

mod asking;
mod backward;
mod definition;
mod engine;
mod error;
mod events;
#[doc(hidden)]
pub mod expansion;
#[cfg(feature = "testing")]
mod faults;
mod field;
mod forward;
mod handle;
mod hold;
mod hosted;
mod instance;
mod log;
mod mail;
mod memory;
mod runner;
mod signals;
mod steps;
mod store;

#[cfg(feature = "http")]
pub(crate) use self::asking::Ask;
#[cfg_attr(not(feature = "sql"), allow(unused_imports, reason = "for the features that add a log"))]
pub(crate) use self::store::{Opened, SagaLogKind};
pub use self::{
    definition::{
        CompensationInfo, CompensationResult, Definition, Outcome, STEP_TIMEOUT, SagaInfo, StepError, StepInfo,
        StepInput, StepKey, StepOutput, StepRetry, WaitInfo,
    },
    error::{SagaError, SagaRefusal, StartError},
    events::SagaEvent,
    field::{Saga, SagaOptions},
    handle::SagaHandle,
    hosted::{HostedSaga, SagaStatus},
    instance::{
        Failure, FailureReason, Happened, Instance, Parked, Progress, SagaId, SagaState, Signal, StepProgress,
        StepState, TimelineEntry, What,
    },
    log::{Claim, Claimed, Holder, Lease, LogError, NewSaga, News, SagaFilter, SagaLog, Started, Then, Transition},
    memory::MemoryLog,
    store::SagaStore,
};
#[cfg(feature = "testing")]
pub(crate) use self::{
    engine::Engine,
    faults::{Injected, Place},
    steps::Hosted,
    store::Terms,
};
