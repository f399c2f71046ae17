//! Where the instances of a service are, for calls that take no broker: gRPC's and HTTP's.
//!
//! [`Instances`] is a field of a service, or part of a client: it knows the addresses of one service, and [`pick`](Instances::pick)s one for
//! each call. What it knows comes from a [`Discovery`]: addresses that the settings list, DNS, Consul (feature `consul`), or one of your own.
//!
//! # Settings
//!
//! `discovery.services.{name}` says where the instances of a service are:
//!
//! | value | is |
//! | --- | --- |
//! | `["10.0.0.1:8000", "https://api.internal"]` | these addresses; as one text, with commas between |
//! | `dns://inventory.internal:8000` | every address of the name, asked for again every `discovery.dns_refresh`; `?tls=true`: over TLS |
//! | `consul://inventory` | what Consul knows under that name; `?tag=v2&dc=west`: with this tag, in that datacenter |
//! | `{http: …, grpc: …}` | one of these for each protocol |
//!
//! A service that is not listed is asked of Consul under its own name where `consul.address` is set; without it the start ends and says
//! what to write.
//!
//! # What is not here
//!
//! RPC and events need none of it: the broker knows who consumes. How programs on one broker see each other is this crate's own
//! (`kinoko ps`).
//!
//! # Examples
//!
//! ```
//! use kinoko::discovery::Instances;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
//! let inventory = Instances::fixed("inventory", ["10.0.0.1:8000", "10.0.0.2:8000"])?;
//! assert_eq!(inventory.pick().await?.url(), "http://10.0.0.1:8000");
//! assert_eq!(inventory.pick().await?.url(), "http://10.0.0.2:8000");
//! # Ok(()) }
//! ```

mod balance;
mod broker;
#[cfg(feature = "consul")]
mod consul;
mod directory;
mod dns;
mod fixed;
mod followed;
mod instance;
mod instances;
mod pick;
mod place;
mod ports;

use async_trait::async_trait;

pub(crate) use self::broker::BrokerDiscovery;
#[cfg(feature = "http")]
pub(crate) use self::broker::Neighbours;
#[cfg(feature = "http")]
pub(crate) use self::broker::PolicyStats;
#[cfg(any(feature = "cli", feature = "http"))]
pub(crate) use self::broker::{ANSWER_TIME, Fleet, Kind, Presence, Stats};
#[cfg(feature = "cli")]
pub(crate) use self::broker::{EntrypointStats, plain};
#[cfg(feature = "consul")]
pub(crate) use self::consul::ConsulGateway;
#[cfg(feature = "http")]
pub(crate) use self::ports::Ports;
pub use self::{
    balance::Balance,
    followed::Found,
    instance::{Instance, Protocol, Target},
    instances::{Instances, InstancesOptions},
    pick::Pick,
};

/// Somewhere that the instances of services are known.
///
/// # Examples
///
/// ```
/// use kinoko::discovery::{Discovery, Found, Instance, Instances, Protocol, Target};
///
/// /// Two machines, by the name of the service.
/// struct Machines;
///
/// #[kinoko::async_trait]
/// impl Discovery for Machines {
///     async fn follow(&self, target: &Target, found: Found) {
///         let address = |machine| Instance::new(format!("{}.{machine}.internal:8000", target.service));
///         found.set([address("a"), address("b")]);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let orders = Instances::new(Machines, Target::new("orders", Protocol::Http));
/// assert_eq!(orders.pick().await?.address, "orders.a.internal:8000");
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Discovery: Send + Sync + 'static {
    /// Tells `found` of the healthy instances of a service, at once and whenever they change.
    ///
    /// Runs in a task of its own, which ends it when the last [`Instances`] is dropped. Returning means that nothing will change any more.
    /// In an outage it says [`Found::stale`] and goes on trying.
    ///
    /// # Cancel safety
    ///
    /// It is dropped at any await.
    async fn follow(&self, target: &Target, found: Found);
}
