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
mod nearest;
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
    AuthToken, Config, ContextValue, Dependencies, Dependency, FromWorker, Has, Language, Scope, SetupContext, UserId,
    parse_duration,
};
pub use error::{Error, ErrorKind, Result};
pub use kinoko_macros::{Dependencies, ServiceError, contract, main, rpc, service};
pub use protocol::{Fault, ServiceError, Value};
pub use task::spawn;
/// The crate that log lines are written with.
pub use tracing;

/// What a service's file needs: `use kinoko::prelude::*`.
pub mod prelude {
    pub use crate::{
        App, Call, CallError, Client, Config, ContextValue, Dependencies, Dependency, FromWorker, Has, Language,
        ServiceError, ServiceProxy, SetupContext, UserId, WorkerContext, contract, rpc, service,
    };
}
