//! Microservices the way Nameko made them pleasant in Python, in Rust.
//!
//! A service is a struct, its methods are marked with what fires them, what it needs is injected, and the framework does the
//! rest: messaging over RabbitMQ or in memory, typed clients, deadlines, errors, shutdown.
//!
//! ```
//! use kinoko::prelude::*;
//!
//! #[derive(Dependencies)]
//! struct Greeting {
//!     #[dependency(key = "greeting.word", default = "Hello")]
//!     word: Config<String>,
//! }
//!
//! #[service(name = "greeting")]
//! impl Greeting {
//!     /// Greets somebody by name.
//!     #[rpc]
//!     async fn hello(&self, name: String) -> String {
//!         format!("{}, {name}!", *self.word)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
//! // No broker is named, so one runs in memory.
//! let app = App::new().service::<Greeting>().start().await?;
//! let greeting = app.client::<GreetingClient>();
//! assert_eq!(greeting.hello("Ada".into()).await?, "Hello, Ada!");
//! app.stop().await
//! # }
//! ```
//!
//! # A tour
//!
//! **Services.** [`#[service]`](macro@service) on an impl block makes its [`#[rpc]`](macro@rpc) methods callable, and writes a typed client.
//! [`#[contract]`](macro@contract) on a trait does the same for both sides of a call that live in different crates.
//!
//! **Dependencies.** The fields of a service are built by the container: each is a [`Dependency`](trait@Dependency), and
//! [`#[derive(Dependencies)]`](derive@Dependencies) wires them.
//! There are typed clients, [`ServiceProxy`], settings ([`Config`]), and your own.
//! `#[inject]` parameters are built for each call: [`WorkerContext`], context data such as [`Language`], your own [`FromWorker`].
//! Hooks run around each worker, before its reply leaves.
//!
//! **Clients.** A [`Call`] is a value: await it, or [`send`](Call::send) it and await its [`PendingReply`] later.
//! It has a deadline, which nested calls inherit, and ends with a value or a [`CallError`].
//! [`ServiceProxy`] calls by name, [`Client`] works outside of any service.
//!
//! **Errors.** [`#[derive(ServiceError)]`](derive@ServiceError) lets an error travel and come back as the same variant.
//! Everything else is an [`Error`] with a kind.
//!
//! **Programs.** [`run`](fn@run) runs the services of a one-file program, [`App`] those that it is told, until SIGTERM or SIGINT.
//! [`Settings`] come from a file, the environment and the command line, which every program has: `run`, `list`, `show-config`, `docs`, `call`, `ps`, `info`, `stats`.
//! [`#[kinoko::main]`](macro@main) makes the runtime and the exit code.
//!
//! **Transports.** [`transport`] has the traits and their promises: `memory://` in this process, `amqp://` and `amqps://` over RabbitMQ.
//! On the wire kinoko is Nameko: Python services are called and call, with no setting.
//! [`codec`] has MessagePack and JSON, and takes others.
//!
//! **HTTP.** With the feature `http`, `#[http(GET, "/orders/{id}")]` on a method answers requests, and the module `http` has files, problems
//! and axum itself. Parameters come from path, query, headers and body by one rule, and every request runs a worker, as a call does.
//!
//! **gRPC.** With the feature `grpc` methods with `#[grpc]` serve a `.proto` file that the build script compiled, in all four patterns, with
//! health and reflection; `GrpcClient<Inventory>` is a field that calls one. Workers, errors, guards and traces are those of RPC.
//!
//! **Finding services.** [`discovery::Instances`] is a field that knows where the instances of a service are that is called without the
//! broker: by the settings, DNS, or Consul with the feature `consul`.
//!
//! **Databases.** With the feature `sql`, `kinoko::sql::Database` is a field, SQLite or PostgreSQL by its URL, and `#[inject] tx: Tx` a
//! transaction that is committed before the reply leaves, or rolled back. Migrations run at the start.
//!
//! **Who may.** With the feature `jwt`, a field `jwt: Jwt` closes a service: `#[guard]`, `#[guard(role = "admin")]` and `#[public]` say who
//! may call which method, by whichever way in. Who calls is what a verified token says, and goes along with nested calls and events.
//!
//! **Tests.** A service is a struct that a test builds with fakes. For everything larger there is `kinoko::testing` (feature `testing`):
//! services in memory, dependencies replaced, entrypoints called directly and awaited.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `amqp` | yes | RabbitMQ, by `amqp://` URLs; without it only `memory://` works |
//! | `tls` | no | TLS to RabbitMQ, by `amqps://` URLs; brings `amqp` |
//! | `cli` | yes | the command line of every program; without it `run` runs, whatever the arguments |
//! | `validate` | no | [`Valid`]: parameters that hold to the rules of their type; `http` brings it |
//! | `http` | no | `#[http]` and `#[websocket]`, validation, OpenAPI and AsyncAPI with a page to try them, operations endpoints; with `tls` over TLS |
//! | `grpc` | no | `kinoko::grpc`: `#[grpc]` on methods, clients, health, reflection; with `tls` over TLS; brings `http` |
//! | `jwt` | no | `kinoko::auth`: tokens, `#[guard]` and `#[public]`, passwords |
//! | `metrics` | no | `/metrics` for Prometheus, and `kinoko::metrics` for those of your own; brings `http` |
//! | `otel` | no | traces to a collector, by OTLP |
//! | `consul` | no | programs register their ports at Consul, and [`discovery`] finds others by it |
//! | `schema` | no | the document of calls and events alone, `App::asyncapi`; `http` brings it, with OpenAPI |
//! | `saga` | no | `kinoko::saga`: steps that are taken back when a later one fails, kept in a log |
//! | `sql` | no | `kinoko::sql`: SQLite and PostgreSQL, a transaction for each worker |
//! | `testing` | no | `kinoko::testing`: services in a test, with their dependencies replaced and their entrypoints called and awaited |
//!
//! # Where to look next
//!
//! The repository's `docs/guide` begins with a quickstart and ends with running services; `docs/guide/from-nameko.md` is for
//! Python teams. `docs/reference` lists settings, attributes, errors and the wire protocol; `docs/ARCHITECTURE.md` is the map.
//! `examples/` holds a quickstart, a catalog over HTTP, users who log in, and a small shop.

// What the macros write names kinoko by its name, in our own tests too.
#[cfg(all(test, any(feature = "http", feature = "saga")))]
extern crate self as kinoko;

#[doc(hidden)]
#[path = "macro_support.rs"]
pub mod __private;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub use transport::amqp::fuzz as __fuzz;
#[cfg(feature = "jwt")]
pub mod auth;
pub mod client;
pub mod codec;
mod config;
mod container;
mod context;
pub mod dead_letter;
pub mod dependency;
pub mod discovery;
#[cfg(feature = "schema")]
mod documents;
mod entrypoint;
mod error;
pub mod event;
mod features;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
mod log;
#[cfg(feature = "metrics")]
pub mod metrics;
mod observe;
#[cfg(feature = "otel")]
mod otel;
pub mod protocol;
pub mod resilience;
#[cfg(feature = "saga")]
pub mod saga;
#[cfg(feature = "http")]
mod server;
pub mod service;
#[cfg(feature = "sql")]
pub mod sql;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;
#[cfg(feature = "validate")]
mod validate;
mod worker;

/// For implementations of [`WorkerHook`] and other traits that are used as `dyn`.
pub use async_trait::async_trait;
pub use client::{Call, CallError, Client, ClientOptions, MethodOptions, PendingReply, ServiceProxy, Timeout};
pub use config::{SettingInfo, Settings};
pub use container::{App, Readiness, RunningApp, run};
pub use context::{Cancelled, WorkerContext, WorkerHook, WorkerOutcome};
pub use dependency::{
    AuthToken, Config, Context, ContextValue, Dependencies, Dependency, FromWorker, Has, IdempotencyKey, Language,
    Scope, SetupContext, UserId,
};
pub use error::{Error, ErrorKind, Result};
pub use event::{
    DeadLetter, DispatchError, Event, EventDispatcher, EventSet, Publisher, RawDelivery, Reject, Retry, Verdict,
};
#[doc = include_str!("docs/dependencies.md")]
#[doc(inline)]
pub use kinoko_macros::Dependencies;
#[doc = include_str!("docs/event_set.md")]
#[doc(inline)]
pub use kinoko_macros::EventSet;
#[doc = include_str!("docs/service_error.md")]
#[doc(inline)]
pub use kinoko_macros::ServiceError;
#[doc = include_str!("docs/consume.md")]
#[doc(inline)]
pub use kinoko_macros::consume;
#[doc = include_str!("docs/contract.md")]
#[doc(inline)]
pub use kinoko_macros::contract;
#[doc = include_str!("docs/event.md")]
#[doc(inline)]
pub use kinoko_macros::event;
#[doc = include_str!("docs/event_handler.md")]
#[doc(inline)]
pub use kinoko_macros::event_handler;
#[cfg(feature = "grpc")]
#[doc = include_str!("docs/grpc.md")]
#[doc(inline)]
pub use kinoko_macros::grpc;
#[cfg(feature = "jwt")]
#[doc = include_str!("docs/guard.md")]
#[doc(inline)]
pub use kinoko_macros::guard;
#[cfg(feature = "http")]
#[doc = include_str!("docs/http.md")]
#[doc(inline)]
pub use kinoko_macros::http;
#[doc = include_str!("docs/main.md")]
#[doc(inline)]
pub use kinoko_macros::main;
#[doc = include_str!("docs/policy.md")]
#[doc(inline)]
pub use kinoko_macros::policy;
#[cfg(feature = "jwt")]
#[doc = include_str!("docs/public.md")]
#[doc(inline)]
pub use kinoko_macros::public;
#[doc = include_str!("docs/rpc.md")]
#[doc(inline)]
pub use kinoko_macros::rpc;
#[cfg(feature = "saga")]
#[doc = include_str!("docs/saga.md")]
#[doc(inline)]
pub use kinoko_macros::saga;
#[doc = include_str!("docs/service.md")]
#[doc(inline)]
pub use kinoko_macros::service;
#[cfg(feature = "saga")]
#[doc = include_str!("docs/step.md")]
#[doc(inline)]
pub use kinoko_macros::step;
#[doc = include_str!("docs/timer.md")]
#[doc(inline)]
pub use kinoko_macros::timer;
#[cfg(feature = "saga")]
#[doc = include_str!("docs/wait.md")]
#[doc(inline)]
pub use kinoko_macros::wait;
#[cfg(feature = "http")]
#[doc = include_str!("docs/websocket.md")]
#[doc(inline)]
pub use kinoko_macros::websocket;
pub use kinoko_stack::enlarge_io_stack;
pub use kinoko_text::parse_duration;
pub use protocol::{Fault, ServiceError, Value};
pub use task::spawn;
/// The crate that log lines are written with.
pub use tracing;
#[cfg(feature = "validate")]
pub use validate::{Invalid, Valid, Validated, Violation};

/// What a service's file needs: `use kinoko::prelude::*`.
pub mod prelude {
    #[cfg(feature = "grpc")]
    pub use crate::grpc;
    #[cfg(feature = "sql")]
    pub use crate::sql::InTx;
    pub use crate::{
        App, Call, CallError, Client, Config, Context, ContextValue, DeadLetter, Dependencies, Dependency, Event,
        EventDispatcher, EventSet, Fault, FromWorker, Has, Language, PendingReply, Publisher, RawDelivery, Reject,
        Retry, Scope, ServiceError, ServiceProxy, Settings, SetupContext, UserId, Verdict, WorkerContext, WorkerHook,
        WorkerOutcome, consume, contract, event, event_handler, policy, rpc, service, timer,
    };
    #[cfg(feature = "jwt")]
    pub use crate::{guard, public};
    #[cfg(feature = "http")]
    pub use crate::{http, websocket};
    #[cfg(feature = "saga")]
    pub use crate::{
        saga,
        saga::{Saga, SagaHandle},
        step, wait,
    };
}
