//! All that generated code may name, re-exported as `__private`. No logic that a user could want.

pub use std::{future::Future, sync::Arc};

pub use futures_util::future::BoxFuture;
pub use inventory;
pub use serde;
pub use serde_json::{Map, Value, from_value, to_value};

pub use crate::{
    Error, Result,
    client::{Call, CallError, ClientMethod, ClientOptions, MethodOf, ServiceClient, TypedClient, method_options},
    config::SettingInfo,
    container::Registration,
    context::{WorkerContext, WorkerOutcome},
    dependency::{Dependencies, Dependency, Field, FromWorker, Has, SetupContext, option_part, option_value},
    event::{
        Event, EventName, EventSet, Fields, FromPayload, PayloadError, PayloadOf, RawDelivery, Verdict, expansion::*,
    },
    protocol::{
        Args, Causes, Certainty, DescribesErrors, Fault, FaultMeta, MethodShapes, NoCauses, NotServiceError, Param,
        ServiceError, ServiceErrorProbe, Shape, VariantInfo,
    },
    service::expansion::*,
    service::{
        Access, AccessInfo, Answer, AnswerShape, Anything, Argument, BatchInfo, BindInfo, BodyFormat, ConsumerInfo,
        Contract, ContractInfo, Covered, DispatchInfo, Dispatches, DynService, EventHandlerInfo, GrpcInfo, HandlerKind,
        HandlingInfo, IdempotencyInfo, IdempotencyStore, Lists, Method, MethodInfo, Named, NotProvided, NotResult,
        Outcome, ParamPlace, Parts, Probe, Provided, Provider, RetryPolicy, RouteAbout, RouteInfo, RouteParam, Rule,
        Schedule, SecurityScheme, ServedBy, Service, ServiceDescriptor, Text, TimerInfo, WorkerCall, assert_provided,
        assert_queues,
    },
    transport::ExchangeKind,
    worker::{
        Batch, BatchResult, Handled, HookTrouble, HooksSoFar, IntoVerdict, NoReply, NotHandled, answer, arguments,
        each_hook, hooks_over, inject, payload, payload_batch, refuse, run_worker, settled, settled_batch, unexpected,
    },
};

pub use crate::__shape as shape;
#[cfg(feature = "jwt")]
pub use crate::auth::expansion as auth;
#[cfg(feature = "grpc")]
pub use crate::grpc::expansion as grpc;
#[cfg(feature = "http")]
pub use crate::http::expansion as http;
#[cfg(feature = "schema")]
pub use crate::protocol::{Described, Undescribed};
pub use crate::resilience::{Policy, expansion as policy};
#[cfg(feature = "saga")]
pub use crate::saga::expansion as saga;
#[cfg(feature = "sql")]
pub use crate::sql::{
    Any, Database,
    inbox::{Idempotent, Once, Remembers, prepare, run_once},
};

use std::{io::Write, process::ExitCode};

/// The client field of a service.
///
/// # Errors
///
/// For a policy that makes no sense, or that is for a method which the service does not have.
#[allow(clippy::unused_async, reason = "as all that is set up")]
pub async fn setup_client<C: TypedClient>(cx: &SetupContext, options: ClientOptions) -> Result<C> {
    ServiceClient::of_field::<C>(cx, options).map(C::from_client)
}

/// The settings that a client field reads.
pub fn client_settings<C: TypedClient>() -> Vec<SettingInfo> {
    vec![SettingInfo::new(crate::resilience::section(C::SERVICE))]
}

/// What one field says of the settings that it reads. `default` is its option of that name, as it is written.
pub fn declare_settings<D: Dependency>(
    found: &mut Vec<SettingInfo>,
    options: D::Options,
    default: Option<&'static str>,
) {
    found.extend(D::settings(&options).into_iter().map(|setting| match default {
        Some(default) => setting.default_text(default),
        None => setting,
    }));
}

/// What an `async fn main` may return.
#[diagnostic::on_unimplemented(
    message = "`main` cannot return a `{Self}`",
    label = "neither nothing, nor an exit code, nor a `Result<(), E>`",
    note = "write `-> kinoko::Result<()>`: every `std::error::Error` becomes one by `?`"
)]
pub trait MainResult {
    /// Prints the error, if it is one, and gives the exit code.
    fn exit(self) -> ExitCode;
}

impl MainResult for () {
    fn exit(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

impl MainResult for ExitCode {
    fn exit(self) -> ExitCode {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Error>> MainResult for Result<(), E> {
    fn exit(self) -> ExitCode {
        match self {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let error = error.into();
                // Not `eprintln!`, which panics where nobody reads any more: the exit code matters then all the same.
                let _ = writeln!(std::io::stderr(), "error: {}", error.chain());
                ExitCode::from(error.kind().exit_code())
            }
        }
    }
}

/// Threads of the runtime get this stack, whatever `RUST_MIN_STACK` says for lapin's.
const WORKER_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Runs an `async fn main`: enlarges the stack of lapin's IO threads, builds the runtime, ends with the right exit code.
///
/// # Panics
///
/// When the operating system gives no threads.
pub fn main<F: Future>(worker_threads: Option<usize>, make: impl FnOnce() -> F) -> ExitCode
where
    F::Output: MainResult,
{
    kinoko_stack::enlarge_io_stack();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("kinoko-worker").thread_stack_size(WORKER_STACK_BYTES);
    if let Some(threads) = worker_threads {
        builder.worker_threads(threads);
    }
    let runtime = builder.build().expect("the operating system gives threads");
    runtime.block_on(make()).exit()
}
