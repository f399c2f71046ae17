//! One call: a value until it is awaited.

use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, future::BoxFuture, stream::BoxStream};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::MetadataMap;

use super::{
    Channel,
    codec::Encoded,
    failure::{Failure, Origin, is_cut_by_deadline, is_unreached},
    pool::Picked,
    responses::Responses,
};
use crate::{
    client::CallError,
    context::{Slot, WorkerContext, idempotency},
    grpc::{
        metadata,
        timeout::{self, GRPC_TIMEOUT},
    },
    observe::{CallWatch, Ended},
    protocol::{Name, Properties, ServiceError, Value, context_data},
    resilience::{Class, Classify, Pass},
};

/// No call waits longer: there is no point in time beyond it to wait for.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A call with one response, not yet sent: await it.
///
/// The time that it may take is the smallest of [`timeout`](Self::timeout), the client's option, the setting `grpc.timeout` (30 s), and what is
/// left of the worker's own deadline where it is made inside one. The server is told, by `grpc-timeout`.
///
/// The worker's context goes along: token, trace, language and all other context data.
///
/// # Errors
///
/// [`CallError`]: the service's own error as the variant that it returned, where the client was made for its type; else
/// [`CallError::Remote`] with code and text.
///
/// # Cancel safety
///
/// Dropping the future withdraws the call: the server is told, and may have done the work all the same.
#[must_use = "a call does nothing until it is awaited"]
pub struct Call<O, E> {
    request: Request,
    types: PhantomData<fn() -> (O, E)>,
}

/// A call with a stream of responses, not yet sent: await it for the stream.
///
/// It has no limit of time but [`timeout`](Self::timeout) and the worker's own deadline, which hold for the whole stream.
///
/// # Errors, cancel safety
///
/// As those of [`Call`]; dropping the stream withdraws the call.
#[must_use = "a call does nothing until it is awaited"]
pub struct StreamCall<O, E> {
    request: Request,
    types: PhantomData<fn() -> (O, E)>,
}

/// What is to be sent, whatever comes back.
struct Request {
    channel: Channel,
    path: &'static str,
    messages: Messages,
    timeout: Option<Duration>,
    headers: Vec<(Name, Value)>,
}

enum Messages {
    One(Bytes),
    /// Taken by the one attempt that there is.
    Many(Mutex<Option<BoxStream<'static, Bytes>>>),
}

macro_rules! call {
    ($call:ident) => {
        impl<O, E> $call<O, E> {
            pub(super) fn one(channel: &Channel, path: &'static str, message: &impl Message) -> Self {
                Self { request: Request::one(channel, path, message), types: PhantomData }
            }

            pub(super) fn many<I: Message + 'static>(
                channel: &Channel,
                path: &'static str,
                messages: impl Stream<Item = I> + Send + 'static,
            ) -> Self {
                Self { request: Request::many(channel, path, messages), types: PhantomData }
            }

            /// The same call, whose service fails with errors of this type: they come as the variants that they were. Where the client was
            /// made for them (`Protos::errors` of `kinoko-build`), that is so without this.
            pub fn errors<F: ServiceError>(self) -> $call<O, F> {
                $call { request: self.request, types: PhantomData }
            }

            /// How long it may take. The server is told, and stops working at the deadline.
            pub fn timeout(mut self, timeout: Duration) -> Self {
                self.request.timeout = Some(timeout);
                self
            }

            /// Metadata of the request, under this name. A kinoko service reads it with
            /// [`WorkerContext::header`](crate::WorkerContext::header).
            pub fn metadata(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Self {
                self.request.headers.push((name.into(), value.into()));
                self
            }

            /// Context data: it passes on along the service's own calls, over gRPC and over AMQP. As metadata `x-nameko-{key}`.
            pub fn context(self, key: &str, value: impl Into<Value>) -> Self {
                self.metadata(format!("{}{key}", context_data::PREFIX), value)
            }

            /// The token to call with, as metadata `authorization: Bearer …`. Inside a worker its own token goes along without this.
            pub fn auth_token(self, token: &str) -> Self {
                self.metadata(Name::from_static(context_data::TOKEN_HEADER), token)
            }

            /// The key by which the service knows this call again, as metadata `idempotency-key`.
            pub fn idempotency_key(self, key: impl Into<String>) -> Self {
                self.metadata(Name::from_static(context_data::IDEMPOTENCY_KEY), key.into())
            }
        }

        impl<O, E> fmt::Debug for $call<O, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($call)).field(&self.request.path).finish()
            }
        }
    };
}

call!(Call);
call!(StreamCall);

impl Request {
    fn one(channel: &Channel, path: &'static str, message: &impl Message) -> Self {
        let messages = Messages::One(message.encode_to_vec().into());
        Self { channel: channel.clone(), path, messages, timeout: None, headers: Vec::new() }
    }

    fn many<I: Message + 'static>(
        channel: &Channel,
        path: &'static str,
        messages: impl Stream<Item = I> + Send + 'static,
    ) -> Self {
        let messages = messages.map(|message| Bytes::from(message.encode_to_vec())).boxed();
        Self {
            channel: channel.clone(),
            path,
            messages: Messages::Many(Mutex::new(Some(messages))),
            timeout: None,
            headers: Vec::new(),
        }
    }

    fn method(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Until when it may take, all attempts together. `own`: where the call does not say.
    fn deadline(&self, now: Instant, own: Option<Duration>) -> (Duration, Instant) {
        let left = WorkerContext::current().and_then(|worker| worker.remaining());
        let time = self.timeout.or(own).into_iter().chain(left).chain([LONGEST]).min().unwrap_or(LONGEST);
        (time, now + time)
    }

    /// One key for all attempts: its own, or one that its worker's calls have. Gives whether there is one.
    fn take_idempotency_key(&mut self) -> bool {
        if self.headers.iter().any(|(name, _)| name == context_data::IDEMPOTENCY_KEY) {
            return true;
        }
        let Some(key) = idempotency::next_key() else { return false };
        self.headers.push((context_data::IDEMPOTENCY_KEY.into(), key.as_str().into()));
        true
    }

    fn origin(&self, timeout: Duration) -> Origin<'_> {
        Origin { service: self.channel.service(), method: self.method(), timeout }
    }

    /// One attempt: an instance, and its response. Where nobody was reached the next instance is asked.
    async fn attempt<R, F>(
        &self,
        until: Instant,
        is_bounded: bool,
        ask: impl Fn(tonic::client::Grpc<tonic::transport::Channel>, Sending) -> F,
    ) -> Result<(tonic::Response<R>, Picked, CallWatch), (Failure, CallWatch)>
    where
        F: Future<Output = Result<tonic::Response<R>, tonic::Status>>,
    {
        let now = Instant::now();
        let context = WorkerContext::current();
        let (service, method) = (self.channel.service_name(), Name::from_static(self.method()));
        let observer = self.channel.observer();
        let calls = observer.calls(&service, &method);
        let watch = CallWatch::new(calls, observer, context.as_ref(), now).by("grpc");
        if until <= now {
            return Err((Failure::Late { sent: false }, watch));
        }
        let mut tried = 0;
        loop {
            let picked = match timeout_at(until, self.channel.pick()).await {
                Ok(Ok(picked)) => picked,
                Ok(Err(text)) => return Err((Failure::Nobody(text), watch)),
                Err(_) => return Err((Failure::Late { sent: false }, watch)),
            };
            let Some(sending) = self.sending(context.as_ref(), &watch, (until, is_bounded)) else {
                return Err((Failure::NotSendable("its stream was sent already".to_owned()), watch));
            };
            let parked = context.as_ref().and_then(WorkerContext::slot).map(Slot::park);
            let answered = timeout_at(until, ask(self.channel.grpc(&picked), sending)).await;
            if let Some(parked) = parked {
                parked.resume().await;
            }
            tried += 1;
            let status = match answered {
                Ok(Ok(response)) => return Ok((response, picked, watch)),
                Ok(Err(status)) if is_cut_by_deadline(&status, until) => {
                    return Err((Failure::Late { sent: true }, watch));
                }
                Ok(Err(status)) => status,
                Err(_) => return Err((Failure::Late { sent: true }, watch)),
            };
            let unreached = is_unreached(&status);
            if unreached {
                picked.failed();
            }
            // Nobody has read what it streams, but it may be gone.
            let again = unreached && tried < picked.of && matches!(self.messages, Messages::One(_));
            if !again {
                return Err((Failure::Status(Box::new(status)), watch));
            }
        }
    }

    /// What goes out: the messages and the metadata.
    fn sending(
        &self,
        context: Option<&WorkerContext>,
        watch: &CallWatch,
        (until, is_bounded): (Instant, bool),
    ) -> Option<Sending> {
        let messages = match &self.messages {
            Messages::One(message) => Outgoing::One(message.clone()),
            Messages::Many(messages) => Outgoing::Many(messages.lock().unwrap_or_else(PoisonError::into_inner).take()?),
        };
        let mut properties = Properties::default();
        match context {
            Some(context) => context.pass_on(&mut properties, self.channel.parents_tracked(), false, watch.trace()),
            None => {
                if let Some(trace) = watch.trace() {
                    context_data::write_trace_parent(&mut properties, &trace.own.header(), false);
                }
            }
        }
        for (name, value) in &self.headers {
            properties.headers.set(name.clone(), value.clone());
        }
        let mut head = http::HeaderMap::new();
        metadata::write(&properties, &mut head);
        if is_bounded {
            let left = timeout::format(until.saturating_duration_since(Instant::now()));
            head.extend(left.try_into().ok().map(|left| (http::HeaderName::from_static(GRPC_TIMEOUT), left)));
        }
        Some(Sending {
            messages,
            metadata: MetadataMap::from_headers(head),
            path: PathAndQuery::from_static(self.path),
        })
    }
}

/// A request as tonic takes it.
struct Sending {
    messages: Outgoing,
    metadata: MetadataMap,
    path: PathAndQuery,
}

enum Outgoing {
    One(Bytes),
    Many(BoxStream<'static, Bytes>),
}

/// With its metadata.
fn outgoing<T>(metadata: MetadataMap, message: T) -> tonic::Request<T> {
    tonic::Request::from_parts(metadata, http::Extensions::new(), message)
}

impl<O, E> Call<O, E>
where
    O: Message + Default + Send + 'static,
    E: ServiceError,
{
    async fn once(request: &Request, until: Instant, timeout: Duration) -> Result<O, (CallError<E>, Class)> {
        let attempt = request.attempt(until, true, |mut grpc, sending| async move {
            grpc.ready().await.map_err(|error| tonic::Status::from_error(Box::new(error)))?;
            let Sending { messages, metadata, path } = sending;
            match messages {
                Outgoing::One(message) => grpc.unary(outgoing(metadata, message), path, Encoded::<O>::NEW).await,
                Outgoing::Many(messages) => {
                    grpc.client_streaming(outgoing(metadata, messages), path, Encoded::<O>::NEW).await
                }
            }
        });
        let ended = attempt.await;
        let (service, method) = (request.channel.service_name(), Name::from_static(request.method()));
        match ended {
            Ok((response, _picked, mut watch)) => {
                watch.end(Ended::Ok, &service, &method);
                Ok(response.into_inner())
            }
            Err((failure, mut watch)) => {
                let said = failure.class();
                let error: CallError<E> = request.origin(timeout).fail(failure);
                watch.end(error.ended(), &service, &method);
                let class = said.unwrap_or_else(|| error.classify());
                Err((error, class))
            }
        }
    }

    async fn run(mut self) -> Result<O, CallError<E>> {
        let now = Instant::now();
        let channel = self.request.channel.clone();
        let (time, deadline) = self.request.deadline(now, Some(channel.timeout()));
        let has_key = self.request.take_idempotency_key();
        let Some(policy) = channel.policy() else {
            return Self::once(&self.request, deadline, time).await.map_err(|(error, _)| error);
        };
        let is_repeatable = matches!(self.request.messages, Messages::One(_));
        let judge = |(error, class): &(CallError<E>, Class)| {
            let repeatable = is_repeatable && (class.repeatable || (class.failure && has_key));
            error.judgement(Class { repeatable, ..*class })
        };
        let refuse = |refused| (CallError::refused(refused), Class::ANSWER);
        let request = &self.request;
        let attempt = |pass: &Pass| {
            let time = pass.time().unwrap_or_default();
            Self::once(request, Instant::now() + time, time)
        };
        policy.drive((now, Some(deadline)), judge, refuse, attempt).await.map_err(|(error, _)| error)
    }
}

impl<O, E> StreamCall<O, E>
where
    O: Message + Default + Send + 'static,
    E: ServiceError,
{
    async fn run(mut self) -> Result<Responses<O, E>, CallError<E>> {
        let now = Instant::now();
        let channel = self.request.channel.clone();
        let (time, deadline) = self.request.deadline(now, None);
        let is_bounded = time < LONGEST;
        self.request.take_idempotency_key();
        let pass = match channel.policy() {
            Some(policy) => Some(policy.pass(now, Some(deadline)).await.map_err(CallError::refused)?),
            None => None,
        };
        let attempt = self.request.attempt(deadline, is_bounded, |mut grpc, sending| async move {
            grpc.ready().await.map_err(|error| tonic::Status::from_error(Box::new(error)))?;
            let Sending { messages, metadata, path } = sending;
            match messages {
                Outgoing::One(message) => {
                    grpc.server_streaming(outgoing(metadata, message), path, Encoded::<O>::NEW).await
                }
                Outgoing::Many(messages) => grpc.streaming(outgoing(metadata, messages), path, Encoded::<O>::NEW).await,
            }
        });
        let ended = attempt.await;
        let method = self.request.method();
        match ended {
            Ok((response, picked, watch)) => Ok(Responses::new(
                response.into_inner(),
                (channel, method),
                (picked, watch, pass),
                is_bounded.then_some((time, deadline)),
            )),
            Err((failure, mut watch)) => {
                let error: CallError<E> = self.request.origin(time).fail(failure);
                watch.end(error.ended(), &self.request.channel.service_name(), &Name::from_static(method));
                if let Some(pass) = pass {
                    pass.end(Some(error.judgement(error.classify())));
                }
                Err(error)
            }
        }
    }
}

impl<O, E> IntoFuture for Call<O, E>
where
    O: Message + Default + Send + 'static,
    E: ServiceError,
{
    type Output = Result<O, CallError<E>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<O, E> IntoFuture for StreamCall<O, E>
where
    O: Message + Default + Send + 'static,
    E: ServiceError,
{
    type Output = Result<Responses<O, E>, CallError<E>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
