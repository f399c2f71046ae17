//! What code that `#[grpc]` generates calls.

use futures_util::{Stream, StreamExt};
use sync_wrapper::SyncWrapper;

pub use super::{
    ProtoService,
    server::{Pattern, Serve, Served},
};
use super::{
    method::Method,
    pattern,
    server::{Answered, Items, Taken},
};
use crate::{
    protocol::{Fault, ServiceError},
    service::{Outcome, WorkerCall, equal},
    worker::{failed, unexpected},
};

/// How calls of a method are served.
pub const fn serve<P, I, O>(_: Method<P, I, O>) -> Serve
where
    Method<P, I, O>: Pattern,
{
    Serve(<Method<P, I, O> as Pattern>::serve)
}

/// The path of a method.
pub const fn path<P, I, O>(method: Method<P, I, O>) -> &'static str {
    method.path
}

/// Whether its caller streams, and whether it does.
pub const fn streams<P, I, O>(_: Method<P, I, O>) -> (bool, bool)
where
    Method<P, I, O>: Pattern,
{
    (<Method<P, I, O> as Pattern>::STREAMS_REQUESTS, <Method<P, I, O> as Pattern>::STREAMS_RESPONSES)
}

/// What a call brought, as the method takes it.
///
/// # Errors
///
/// Where something else fired it.
pub fn request<P, I, O>(_: Method<P, I, O>, call: &WorkerCall) -> Result<<Method<P, I, O> as Pattern>::Request, Outcome>
where
    Method<P, I, O>: Pattern,
{
    let request = call.request.clone().and_then(|request| request.downcast::<Taken<_>>().ok()?.take());
    request.ok_or_else(|| unexpected(Fault::internal("NoCall", "the method is fired by gRPC calls alone")))
}

impl<I, O: Send + 'static> Method<pattern::Unary, I, O> {
    /// What the method's value becomes.
    #[doc(hidden)]
    pub fn reply<E: ServiceError>(self, value: Result<O, E>) -> Outcome {
        value.map_or_else(failed, answered)
    }
}

impl<I, O: Send + 'static> Method<pattern::ClientStreaming, I, O> {
    /// What the method's value becomes.
    #[doc(hidden)]
    pub fn reply<E: ServiceError>(self, value: Result<O, E>) -> Outcome {
        value.map_or_else(failed, answered)
    }
}

impl<I, O: Send + 'static> Method<pattern::ServerStreaming, I, O> {
    /// What the method's value becomes.
    #[doc(hidden)]
    pub fn reply<S: StreamOf<O>, E: ServiceError>(self, value: Result<S, E>) -> Outcome {
        value.map_or_else(failed, streamed)
    }
}

impl<I, O: Send + 'static> Method<pattern::BidiStreaming, I, O> {
    /// What the method's value becomes.
    #[doc(hidden)]
    pub fn reply<S: StreamOf<O>, E: ServiceError>(self, value: Result<S, E>) -> Outcome {
        value.map_or_else(failed, streamed)
    }
}

/// A stream that a method answers with.
#[diagnostic::on_unimplemented(
    message = "this gRPC method streams `{O}`, and `{Self}` is no stream of `Result<{O}, …>`",
    label = "not a `Stream<Item = Result<{O}, E>>`",
    note = "return `impl Stream<Item = Result<…, E>> + Send + use<>`, where `E` derives `ServiceError` or is `kinoko::Error`"
)]
pub trait StreamOf<O>: Send + 'static {
    /// What it may end with.
    type Error: ServiceError;

    /// Each of it.
    fn items(self) -> futures_util::stream::BoxStream<'static, Result<O, Self::Error>>;
}

#[diagnostic::do_not_recommend]
impl<O, E: ServiceError, S: Stream<Item = Result<O, E>> + Send + 'static> StreamOf<O> for S {
    type Error = E;

    fn items(self) -> futures_util::stream::BoxStream<'static, Result<O, E>> {
        self.boxed()
    }
}

fn streamed<O: Send + 'static, S: StreamOf<O>>(stream: S) -> Outcome {
    let items: Items<O> = stream.items().map(|item| item.map_err(failed)).boxed();
    answered(items)
}

fn answered<A: Send + 'static>(value: A) -> Outcome {
    Outcome::Response(Box::new(Answered(SyncWrapper::new(value))))
}

/// Fails the build where a service says that it serves all methods, and lacks one.
///
/// # Panics
///
/// At compile time, with the text that says so.
#[track_caller]
pub const fn assert_complete<S: ProtoService>(served: &[&str]) {
    let mut at = 0;
    while at < S::METHODS.len() {
        assert!(contains(served, S::METHODS[at].name), "{}", S::METHODS[at].missing);
        at += 1;
    }
}

const fn contains(names: &[&str], name: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if equal(names[at], name) {
            return true;
        }
        at += 1;
    }
    false
}
