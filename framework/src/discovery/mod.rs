//! Programs find each other: every one of them answers what it is, and knows of others without asking.
//!
//! Over the broker, with nothing beside it: a topic exchange on which each program answers `ping`, `info` and `stats`, as NATS' services
//! do, and says `hello` and `bye`. `docs/reference/wire-protocol.md` has the messages.
//! Nothing here decides where a call goes: the broker does.

mod about;
mod answers;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only what a feature adds asks"))]
mod fleet;
mod gateway;
mod pace;
mod presence;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only what a feature adds asks"))]
mod questions;
mod roster;
mod station;
mod stats;
#[cfg(feature = "cli")]
mod told;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only what a feature adds asks"))]
mod topic;

pub(crate) use self::gateway::BrokerDiscovery;
#[cfg(feature = "cli")]
pub(crate) use self::{
    fleet::{ANSWER_TIME, Fleet},
    presence::{Presence, plain},
    told::{EntrypointStats, Stats},
    topic::Kind,
};
