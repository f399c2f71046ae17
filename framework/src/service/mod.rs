//! What `#[service]` implements: the typed side of a service, and the dyn-safe dispatch that a container stores.
//!
//! Plain data and calls; nothing here runs by itself.

mod access;
mod answer;
mod contract;
pub(crate) mod description;
mod entrypoints;
#[doc(hidden)]
pub mod expansion;
mod grpc;
mod handling_json;
mod provided;
mod queues;
mod routes;

use std::{any::Any, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub(crate) use self::contract::equal;
pub(crate) use self::handling_json::millis;
pub use self::{
    access::{Access, AccessInfo, Rule},
    answer::{Answer, Argument, NotResult, Parts, Probe, Text},
    contract::{Anything, Contract, ContractInfo, Covered, Dispatches, Lists, Method, Named, ServedBy, Serves},
    entrypoints::{
        BatchInfo, BindInfo, ConsumerInfo, DispatchInfo, EventHandlerInfo, HandlerKind, HandlingInfo, IdempotencyInfo,
        IdempotencyStore, RetryPolicy, Schedule, TimerInfo,
    },
    grpc::GrpcInfo,
    provided::{NotProvided, Prepare, Provided, Provider, assert_provided},
    queues::assert_queues,
    routes::{AnswerShape, BodyFormat, ParamPlace, RouteAbout, RouteInfo, RouteParam, SecurityScheme},
};
use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext},
    event::{RawDelivery, Verdict},
    protocol::{Fault, MethodShapes, Param},
};

/// What a container, a command line or a document needs to know of a service.
#[derive(Debug, Clone, Copy)]
pub struct ServiceDescriptor {
    /// The name on the wire.
    pub name: &'static str,
    /// The doc comment of the impl block.
    pub doc: &'static str,
    /// Whether only Nameko's path is served, so that all callers are spread over all instances.
    pub nameko_wire: bool,
    /// The most workers that run at once in one instance; `None`: the setting `max_workers`.
    pub max_workers: Option<usize>,
    /// The methods that an RPC fires.
    pub methods: &'static [MethodInfo],
    /// The methods that an event fires.
    pub events: &'static [EventHandlerInfo],
    /// The methods that the messages of a queue fire.
    pub consumers: &'static [ConsumerInfo],
    /// The methods that the clock fires.
    pub timers: &'static [TimerInfo],
    /// The methods that an HTTP request fires.
    pub routes: &'static [RouteInfo],
    /// The methods that a message of a websocket fires.
    pub sockets: &'static [MethodInfo],
    /// The methods that a gRPC call fires.
    pub grpc: &'static [GrpcInfo],
    /// What stands before the paths of its routes: `/api/v1`, or nothing.
    pub http_prefix: &'static str,
    /// The events that it says it dispatches, for documents.
    pub dispatches: &'static [DispatchInfo],
    /// Who may call.
    pub access: AccessInfo,
}

impl ServiceDescriptor {
    /// A service that nothing fires.
    #[cfg(all(test, any(feature = "cli", feature = "http")))]
    pub(crate) const fn named(name: &'static str) -> Self {
        Self {
            name,
            doc: "",
            nameko_wire: false,
            max_workers: None,
            methods: &[],
            events: &[],
            consumers: &[],
            timers: &[],
            routes: &[],
            sockets: &[],
            grpc: &[],
            http_prefix: "",
            dispatches: &[],
            access: AccessInfo::OPEN,
        }
    }

    /// Where its websockets connect.
    #[cfg(feature = "schema")]
    pub(crate) fn socket_path(&self) -> String {
        format!("{}/ws", self.http_prefix)
    }

    /// The name of each entrypoint, with what [`DynService::dispatch`] knows it by. A method with several attributes is there several times.
    pub fn entrypoints(&self) -> impl Iterator<Item = (usize, &'static str)> {
        let methods = self.methods.iter().map(|method| (method.index, method.name));
        let events = self.events.iter().map(|handler| (handler.index, handler.method));
        let consumers = self.consumers.iter().map(|consumer| (consumer.index, consumer.method));
        let timers = self.timers.iter().map(|timer| (timer.index, timer.method));
        let routes = self.routes.iter().map(|route| (route.index, route.method));
        let sockets = self.sockets.iter().map(|method| (method.index, method.name));
        let grpc = self.grpc.iter().map(|method| (method.index, method.method));
        methods.chain(events).chain(consumers).chain(timers).chain(routes).chain(sockets).chain(grpc)
    }
}

/// One method that an RPC fires.
#[derive(Debug, Clone, Copy)]
pub struct MethodInfo {
    /// What [`DynService::dispatch`] knows it by.
    pub index: usize,
    /// The name on the wire.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// What callers pass.
    pub params: &'static [Param],
    /// The type of its result, as it is written: for people, and for nothing else. Empty where it returns nothing.
    ///
    /// Of a `Result<T, E>` it is the `T`; an alias of one stands here whole, since its spelling does not tell.
    pub returns: &'static str,
    /// The type of its error, where its spelling tells.
    pub error: Option<&'static str>,
    /// How long a worker of it may run; the default of generated clients as well.
    pub timeout: Option<Duration>,
    /// The most workers of it that run at once in one instance.
    pub max_workers: Option<usize>,
    /// What its types look like.
    pub shapes: MethodShapes,
}

/// What fires a method: a call that reached its service, an event, a tick of the clock. Not yet decoded: its body is in the context's message.
#[derive(Debug, Clone)]
pub struct WorkerCall {
    /// The index of the entrypoint: [`MethodInfo::index`] and the like.
    pub index: usize,
    /// How its body is encoded, and the reply will be.
    pub format: Format,
    /// The worker's context.
    pub context: WorkerContext,
    /// Of a batch handler, its deliveries; empty for every other.
    pub batch: Vec<RawDelivery>,
    /// What fired it, where that is more than a message: of HTTP the request.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds looks at it"))]
    pub(crate) request: Option<Arc<dyn Any + Send + Sync>>,
}

impl WorkerCall {
    /// Of one message, or of none.
    pub(crate) fn new(index: usize, format: Format, context: WorkerContext) -> Self {
        Self { index, format, context, batch: Vec::new(), request: None }
    }

    /// The message that fired it, as handlers may take it.
    pub(crate) fn raw(&self) -> RawDelivery {
        let message = self.context.message().clone();
        let content_type = message.properties.content_type.as_deref();
        // A format of another content type is there for the form's sake.
        let format =
            content_type.is_some_and(|content_type| self.format.is_of(content_type)).then(|| self.format.clone());
        RawDelivery::new(message, format, self.context.redelivered(), self.context.attempt())
    }
}

/// What a worker leaves behind. `Debug` does not show the reply's body.
pub enum Outcome {
    /// The whole body of the reply.
    Reply(Bytes),
    /// The error, not yet encoded.
    Fault {
        /// What travels.
        fault: Box<Fault>,
        /// Who is to do something about it.
        kind: FaultKind,
    },
    /// A message or a tick is done with.
    Done,
    /// A message is not done with.
    Failed(Verdict),
    /// What becomes of each delivery of a batch; `None`: it is done with.
    Batch(Vec<Option<Verdict>>),
    /// An answer that only its entrypoint can send: HTTP's.
    Response(Box<dyn Response>),
    /// The method was dropped; nobody waits for a reply.
    Cancelled(Cancelled),
}

/// Who is to do something about a fault: the log says WARN where it is the caller, ERROR where it is whoever runs the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The method lists it as expected: an answer like any other.
    Expected,
    /// Nobody foresaw it.
    Unexpected,
    /// The method was not run: the caller is to blame, or there was no room.
    Rejected,
}

/// An answer in the form that one kind of entrypoint sends.
pub trait Response: Any + fmt::Debug + Send + Sync {
    /// Why it is one of failure, if it is: what the hooks of its worker are told.
    fn fault(&self) -> Option<&Fault>;

    /// Its number, where its protocol has one.
    fn status(&self) -> Option<u16> {
        None
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(body) => write!(f, "Reply({} bytes)", body.len()),
            Self::Fault { fault, kind } => f.debug_struct("Fault").field("fault", fault).field("kind", kind).finish(),
            Self::Done => f.write_str("Done"),
            Self::Failed(verdict) => f.debug_tuple("Failed").field(verdict).finish(),
            Self::Batch(verdicts) => f.debug_tuple("Batch").field(verdicts).finish(),
            Self::Response(response) => response.fmt(f),
            Self::Cancelled(reason) => f.debug_tuple("Cancelled").field(reason).finish(),
        }
    }
}

/// A service as a container stores it. `#[service]` implements it.
pub trait DynService: Send + Sync + 'static {
    /// What it is.
    fn descriptor(&self) -> &'static ServiceDescriptor;

    /// Runs one worker.
    fn dispatch(self: Arc<Self>, call: WorkerCall) -> BoxFuture<'static, Outcome>;
}

/// A service as its type. `#[service]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "no `#[service]` impl block",
    note = "put `#[service(name = \"…\")]` on its impl block"
)]
pub trait Service: DynService + Sized {
    /// What it is.
    const DESCRIPTOR: &'static ServiceDescriptor;

    /// How its fields are built, from its [`Dependencies`](crate::Dependencies).
    const PROVIDER: Provider<Self>;
}
