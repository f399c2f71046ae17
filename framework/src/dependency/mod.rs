//! What a service needs, and who provides it.
//!
//! Fields are container-wide: built once by [`Dependency::setup`], started and stopped with the container.
//! `#[inject]` parameters are per worker: built by [`FromWorker`] for each call.

mod config;
mod context_value;
mod idempotency_key;
mod options;
mod setup;

use std::future::{Future, ready};

pub(crate) use self::setup::{ContainerScope, ProcessScope, Registry};
pub use self::{
    config::{Config, ConfigOptions},
    context_value::{AuthToken, Context, ContextValue, Language, UserId},
    idempotency_key::IdempotencyKey,
    options::{OptionPart, OptionValue, option_part, option_value},
    setup::{Field, SetupContext},
};
use crate::{
    Result,
    config::SettingInfo,
    context::{WorkerContext, WorkerOutcome},
    protocol::Fault,
};

/// Something that a service holds as a field: a client, a pool, a setting. Implement it for your own.
///
/// A dependency is a handle: cheap to clone, shared by all workers.
///
/// # Order
///
/// `setup` of each field in order → settings that nothing has read are refused → `start` of each, in the order they were set up → workers, each between `worker_setup` and
/// `worker_teardown` → `stop` of each, in reverse order. `stop` runs for what was set up, also when another one failed to start.
///
/// # Examples
///
/// ```
/// use kinoko::prelude::*;
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// /// Numbers that no two calls share.
/// #[derive(Clone)]
/// struct Sequence(Arc<AtomicU64>);
///
/// #[derive(Default)]
/// struct SequenceOptions {
///     first: u64,
/// }
///
/// impl Dependency for Sequence {
///     type Options = SequenceOptions;
///     async fn setup(_: &SetupContext, options: SequenceOptions) -> kinoko::Result<Self> {
///         Ok(Self(Arc::new(AtomicU64::new(options.first))))
///     }
/// }
///
/// #[derive(Dependencies)]
/// struct Tickets {
///     #[dependency(first = 100)]
///     sequence: Sequence,
/// }
///
/// #[service(name = "tickets")]
/// impl Tickets {
///     #[rpc]
///     fn draw(&self) -> u64 {
///         self.sequence.0.fetch_add(1, Ordering::Relaxed)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = kinoko::App::new().service::<Tickets>().start().await?;
/// assert_eq!(app.client::<TicketsClient>().draw().await?, 100);
/// # app.stop().await }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a dependency",
    label = "the container does not know how to build this field",
    note = "for a setting, write `Config<{Self}>` with `#[dependency(key = \"…\")]`",
    note = "for a provider of your own, implement `kinoko::Dependency` for it"
)]
pub trait Dependency: Clone + Send + Sync + 'static {
    /// What `#[dependency(key = value)]` on a field sets.
    type Options: Default + Send + 'static;

    /// Who shares one instance.
    const SCOPE: Scope = Scope::Container;

    /// The settings that it reads, as far as they are known before it is set up.
    ///
    /// What [`setup`](Self::setup) reads is known from then on. What stands here is known earlier, and in a program that starts others of
    /// its services only: `show-config` lists it, and nobody takes it for a mistake. Default: none.
    fn settings(options: &Self::Options) -> Vec<SettingInfo> {
        let _ = options;
        Vec::new()
    }

    /// Builds it. May [`require`](SetupContext::require) other dependencies.
    ///
    /// # Errors
    ///
    /// End the start of the program; the text gets the field's name. An [`ErrorKind::Internal`](crate::ErrorKind::Internal) becomes `Setup`.
    fn setup(cx: &SetupContext, options: Self::Options) -> impl Future<Output = Result<Self>> + Send;

    /// Starts what it runs, when all dependencies of the program are set up and before the first worker.
    ///
    /// # Errors
    ///
    /// End the start of the program; what was set up before is stopped.
    fn start(&self) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Why the program is to take no requests because of it, at the moment: `cannot reach the cache at …`; `None`: it works.
    ///
    /// Asked by [`RunningApp::readiness`](crate::RunningApp::readiness) and so by `/health/ready`, while the program runs. It does not wait: what
    /// has to be asked elsewhere, a task of the dependency's own asks again and again. Not for an error of one worker. Default: `None`.
    fn unready(&self) -> Option<String> {
        None
    }

    /// Stops what it runs, when the last worker is over. After 10 s, or a panic, the others are stopped without waiting for it.
    ///
    /// # Errors
    ///
    /// Are logged, and do not keep the other dependencies from being stopped.
    fn stop(&self) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Runs before each worker's method, when its arguments are decoded. An error becomes the call's fault.
    fn worker_setup(&self, cx: &WorkerContext) -> impl Future<Output = Result<()>> + Send {
        let _ = cx;
        ready(Ok(()))
    }

    /// Runs after each worker's method and before its reply leaves. An error becomes the call's fault.
    fn worker_result(&self, cx: &WorkerContext, outcome: WorkerOutcome<'_>) -> impl Future<Output = Result<()>> + Send {
        let _ = (cx, outcome);
        ready(Ok(()))
    }

    /// Runs last for each worker, also for one whose `worker_setup` failed. An error becomes the call's fault.
    fn worker_teardown(&self, cx: &WorkerContext) -> impl Future<Output = Result<()>> + Send {
        let _ = cx;
        ready(Ok(()))
    }
}

/// Who shares one instance of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The fields and providers of one service.
    Container,
    /// All services of one [`App`](crate::App): stopped after the last of them.
    Process,
}

/// A service's fields, all of them dependencies. Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how its fields are provided",
    label = "not `Dependencies`",
    note = "add `#[derive(Dependencies)]` to the struct"
)]
pub trait Dependencies: Sized + Send + Sync + 'static {
    /// The settings that its fields read, as far as they are known before they are set up.
    ///
    /// # Errors
    ///
    /// For an option that is none, such as a duration of an unknown unit.
    fn settings() -> Result<Vec<SettingInfo>> {
        Ok(Vec::new())
    }

    /// Builds every field.
    fn setup(cx: &SetupContext) -> impl Future<Output = Result<Self>> + Send;

    /// [`Dependency::worker_setup`] of each field, in order.
    fn worker_setup(&self, cx: &WorkerContext) -> impl Future<Output = Result<()>> + Send;

    /// [`Dependency::worker_result`] of each field, in reverse order; all run, the first error is told.
    fn worker_result(&self, cx: &WorkerContext, outcome: WorkerOutcome<'_>) -> impl Future<Output = Result<()>> + Send;

    /// [`Dependency::worker_teardown`] of each field, in reverse order; all run, the first error is told.
    fn worker_teardown(&self, cx: &WorkerContext) -> impl Future<Output = Result<()>> + Send;
}

/// A service that has a field of this type. `#[derive(Dependencies)]` implements it for each type once.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no field of type `{D}`",
    label = "needed by an `#[inject]` parameter, or by `idempotent`",
    note = "add a field of type `{D}` to `{Self}`"
)]
pub trait Has<D> {
    /// The field.
    fn get(&self) -> &D;
}

/// Something that a method gets for each call, as an `#[inject]` parameter.
///
/// Generic over the service, so that it may ask for a field: `impl<S: Has<Database> + Sync> FromWorker<S> for Tx` does not build
/// for a service without a `Database`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be injected into a worker of `{S}`",
    label = "not `FromWorker`",
    note = "drop `#[inject]` if the caller sends it; make it a field of `{S}` if it is a dependency; implement `kinoko::FromWorker<S>` for it if it is made for each call"
)]
pub trait FromWorker<S>: Sized {
    /// Builds it. A hook for the end of the worker is added with [`WorkerContext::attach`].
    ///
    /// # Errors
    ///
    /// The fault becomes the answer; the method does not run.
    fn from_worker(service: &S, cx: &WorkerContext) -> impl Future<Output = Result<Self, Fault>> + Send;
}

impl<S: Sync> FromWorker<S> for WorkerContext {
    async fn from_worker(_: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        Ok(cx.clone())
    }
}
