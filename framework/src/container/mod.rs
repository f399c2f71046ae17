//! The life of running services: workers and their limits, start and stop.

mod app;
#[allow(clippy::module_inception, reason = "the one thing that the folder is named after")]
mod container;
mod limits;
mod registration;
mod running;
mod signals;
mod workers;

pub use self::{
    app::{App, run},
    registration::Registration,
    running::RunningApp,
};
pub(crate) use self::{
    limits::{Limits, take},
    workers::Workers,
};
