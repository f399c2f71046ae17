//! The life of running services: workers and their limits, start and stop.

#[cfg(any(feature = "cli", feature = "schema"))]
mod about;
mod app;
#[cfg(feature = "cli")]
mod command_line;
#[allow(clippy::module_inception, reason = "the one thing that the folder is named after")]
mod container;
mod gateway;
mod program;
mod readiness;
mod registration;
mod running;
mod selection;
mod signals;

pub use self::{
    app::{App, run},
    readiness::Readiness,
    registration::Registration,
    running::RunningApp,
};
pub(crate) use self::{
    gateway::{Extensions, Launch, MakeGateway},
    program::Program,
};
#[cfg(feature = "http")]
pub(crate) use self::{
    gateway::{Gateway, ServiceParts},
    program::ServiceState,
    readiness::broker_reason,
};
