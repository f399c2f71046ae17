use std::{fmt, sync::Arc, time::Duration};

use futures_util::Stream;
use prost::Message;
use tonic::{client::Grpc, codec::CompressionEncoding};

use super::{
    call::{Call, StreamCall},
    pool::{Picked, Pool},
    settings::ClientSettings,
};
use crate::{
    grpc::method::{BidiStreaming, ClientStreaming, ServerStreaming, Unary},
    observe::Observer,
    protocol::Name,
    resilience::Policy,
};

/// Where the calls of one client go: what generated clients are made of. Cheap to clone.
#[derive(Clone)]
pub struct Channel(Arc<Inner>);

struct Inner {
    /// As errors and metrics call it.
    service: Name,
    pool: Pool,
    settings: ClientSettings,
    timeout: Option<Duration>,
    policy: Option<Policy>,
    observer: Arc<Observer>,
}

impl Channel {
    pub(super) fn new(
        service: Name,
        pool: Pool,
        settings: ClientSettings,
        (timeout, policy): (Option<Duration>, Option<Policy>),
        observer: Arc<Observer>,
    ) -> Self {
        Self(Arc::new(Inner { service, pool, settings, timeout, policy, observer }))
    }

    /// A call with one request and one response.
    pub fn unary<I: Message, O, E>(&self, method: Unary<I, O>, request: I) -> Call<O, E> {
        Call::one(self, method.path, &request)
    }

    /// A call with a stream of requests and one response.
    pub fn client_streaming<I: Message + 'static, O, E>(
        &self,
        method: ClientStreaming<I, O>,
        requests: impl Stream<Item = I> + Send + 'static,
    ) -> Call<O, E> {
        Call::many(self, method.path, requests)
    }

    /// A call with one request and a stream of responses.
    pub fn server_streaming<I: Message, O, E>(&self, method: ServerStreaming<I, O>, request: I) -> StreamCall<O, E> {
        StreamCall::one(self, method.path, &request)
    }

    /// A call with a stream of requests and one of responses.
    pub fn bidi_streaming<I: Message + 'static, O, E>(
        &self,
        method: BidiStreaming<I, O>,
        requests: impl Stream<Item = I> + Send + 'static,
    ) -> StreamCall<O, E> {
        StreamCall::many(self, method.path, requests)
    }

    pub(super) fn service(&self) -> &str {
        &self.0.service
    }

    pub(super) fn service_name(&self) -> Name {
        self.0.service.clone()
    }

    pub(super) fn observer(&self) -> &Observer {
        &self.0.observer
    }

    pub(super) fn policy(&self) -> Option<&Policy> {
        self.0.policy.as_ref()
    }

    pub(super) fn timeout(&self) -> Duration {
        self.0.timeout.unwrap_or(self.0.settings.shared.timeout)
    }

    pub(super) fn parents_tracked(&self) -> usize {
        self.0.settings.parents_tracked
    }

    pub(super) fn unready(&self) -> Option<String> {
        self.0.pool.unready()
    }

    pub(super) async fn pick(&self) -> Result<Picked, String> {
        self.0.pool.pick().await
    }

    pub(super) fn grpc(&self, picked: &Picked) -> Grpc<tonic::transport::Channel> {
        let grpc = Grpc::new(picked.channel.clone())
            .max_decoding_message_size(self.0.settings.shared.max_message_bytes)
            .accept_compressed(CompressionEncoding::Gzip);
        if self.0.settings.compression { grpc.send_compressed(CompressionEncoding::Gzip) } else { grpc }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("service", &self.0.service).finish_non_exhaustive()
    }
}
