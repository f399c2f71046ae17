//! kinoko: microservices the way Nameko made them pleasant in Python, in Rust.

#[doc(hidden)]
#[path = "macro_support.rs"]
pub mod __private;
pub mod client;
pub mod codec;
mod config;
mod container;
mod context;
pub mod dependency;
mod entrypoint;
mod error;
mod log;
pub mod protocol;
pub mod service;
mod task;
pub mod transport;
mod worker;

pub use client::{Call, CallError, Client, ClientOptions, PendingReply, ServiceProxy, Timeout};
pub use config::Settings;
pub use container::{App, RunningApp, run};
pub use context::{Cancelled, WorkerContext, WorkerHook, WorkerOutcome};
pub use dependency::{
    AuthToken, Config, Context, ContextValue, Dependencies, Dependency, FromWorker, Has, Language, Scope, SetupContext,
    UserId,
};
pub use error::{Error, ErrorKind, Result};
#[doc = include_str!("docs/dependencies.md")]
#[doc(inline)]
pub use kinoko_macros::Dependencies;
#[doc = include_str!("docs/service_error.md")]
#[doc(inline)]
pub use kinoko_macros::ServiceError;
#[doc = include_str!("docs/contract.md")]
#[doc(inline)]
pub use kinoko_macros::contract;
#[doc = include_str!("docs/main.md")]
#[doc(inline)]
pub use kinoko_macros::main;
#[doc = include_str!("docs/rpc.md")]
#[doc(inline)]
pub use kinoko_macros::rpc;
#[doc = include_str!("docs/service.md")]
#[doc(inline)]
pub use kinoko_macros::service;
pub use kinoko_text::parse_duration;
pub use protocol::{Fault, ServiceError, Value};
pub use task::spawn;
/// The crate that log lines are written with.
pub use tracing;

/// What a service's file needs: `use kinoko::prelude::*`.
pub mod prelude {
    pub use crate::{
        App, Call, CallError, Client, Config, Context, ContextValue, Dependencies, Dependency, FromWorker, Has,
        Language, ServiceError, ServiceProxy, SetupContext, UserId, WorkerContext, contract, rpc, service,
    };
}
