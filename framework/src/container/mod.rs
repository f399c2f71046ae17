//! The life of running services: workers and their limits, start and stop.

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

#[cfg(feature = "http")]
pub(crate) use self::readiness::broker_reason;
pub(crate) use self::{
    about::program_name,
    gateway::{Extensions, Gateway, Launch, MakeGateway, ServiceParts},
    program::{Program, ServiceState},
};
pub use self::{
    app::{App, run},
    readiness::Readiness,
    registration::Registration,
    running::RunningApp,
};
