//! Programs find each other: every one of them answers what it is, and knows of others without asking.
//!
//! Over the broker, with nothing beside it: a topic exchange on which each program answers `ping`, `info` and `stats`, as NATS' services
//! do, and says `hello` and `bye`. `docs/reference/wire-protocol.md` has the messages.
//! Nothing here decides where a call goes: the broker does. Where calls go that take no broker, the folder above knows.

mod about;
mod answers;
#[cfg_attr(not(any(feature = "cli", feature = "http")), allow(dead_code, reason = "only what a feature adds asks"))]
mod fleet;
mod gateway;
mod pace;
mod presence;
#[cfg_attr(not(any(feature = "cli", feature = "http")), allow(dead_code, reason = "only what a feature adds asks"))]
mod questions;
mod roster;
mod station;
mod stats;
#[cfg(any(feature = "cli", feature = "http"))]
#[cfg_attr(not(all(feature = "cli", feature = "http")), allow(dead_code, reason = "each looks at a part of it"))]
mod told;
#[cfg_attr(not(any(feature = "cli", feature = "http")), allow(dead_code, reason = "only what a feature adds asks"))]
mod topic;

#[cfg(feature = "http")]
pub(crate) use self::fleet::Neighbours;
pub(crate) use self::gateway::BrokerDiscovery;
#[cfg(feature = "http")]
pub(crate) use self::told::PolicyStats;
#[cfg(any(feature = "cli", feature = "http"))]
pub(crate) use self::{
    fleet::{ANSWER_TIME, Fleet},
    presence::Presence,
    told::Stats,
    topic::Kind,
};
#[cfg(feature = "cli")]
pub(crate) use self::{presence::plain, told::EntrypointStats};
