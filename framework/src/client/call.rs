//! One call: a value until it is awaited or sent.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::{task::JoinHandle, time::Instant};

use super::{
    CallError, ServiceClient, Timeout,
    local::Local,
    policies::{Around, Keep},
    replies::Waiting,
    request::{Failure, Request},
    route::{Route, WirePath},
    rpc::Target,
};
use crate::{
    codec::{EncodeError, Format},
    context::{WorkerContext, idempotency},
    observe::{CallWatch, Ended},
    protocol::{Name, ServiceError, Value, context_data, decode_reply},
    resilience::{Class, Classify, Pass},
};

/// No call waits longer: whoever writes `Duration::MAX` gets this, as there is no point in time beyond it to wait for.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A call of a method, not yet sent. Await it for the answer, or [`send`](Self::send) it and await the answer later.
///
/// The time that it may take is the smallest of: [`timeout`](Self::timeout), the method's, the client's, the setting `rpc_timeout`
/// (30 s), and what is left of the worker's own deadline where it is made inside one.
///
/// # Cancel safety
///
/// Dropping it, or the future it becomes, withdraws the wait; the method may still run.
///
/// # Examples
///
/// ```
/// use kinoko::prelude::*;
/// use std::time::Duration;
/// # #[derive(Dependencies)] struct Adder;
/// # #[service(name = "adder")] impl Adder { #[rpc] fn add(&self, a: u32, b: u32) -> u32 { a + b } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// # let app = kinoko::App::new().service::<Adder>().start().await?;
/// let adder = app.client::<AdderClient>();
/// assert_eq!(adder.add(1, 2).timeout(Duration::from_secs(2)).await?, 3);
///
/// let pending = adder.add(3, 4).send().await?;    // on its way
/// assert_eq!(adder.add(1, 1).await?, 2);          // meanwhile
/// assert_eq!(pending.await?, 7);
/// # app.stop().await }
/// ```
#[must_use = "a call does nothing until it is awaited or sent"]
pub struct Call<T, E> {
    pub(super) client: ServiceClient,
    pub(super) method: Name,
    pub(super) format: Format,
    pub(super) body: Result<Bytes, EncodeError>,
    pub(super) timeout: Option<Duration>,
    pub(super) headers: Vec<(Name, Value)>,
    /// Its method is one of a typed client's.
    pub(super) declared: bool,
    pub(super) answer: PhantomData<fn() -> (T, E)>,
}

impl<T, E> Call<T, E> {
    /// How long to wait for the reply. The service is told, and stops working at the deadline.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A header of the request, under this very name. The service reads it with [`WorkerContext::header`].
    pub fn header(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The key by which an [`idempotent`](macro@crate::rpc) method knows this call again: however often it arrives under the key, it is done
    /// once, and the later ones get the first one's answer.
    ///
    /// One key for one intention of the caller's: made before the first attempt, the same for each repetition. The same key with other
    /// arguments is refused, with code `IDEMPOTENCY_KEY_REUSED`. A method that is not `idempotent` takes no notice of it.
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.header(context_data::IDEMPOTENCY_KEY, key.into())
    }

    /// Context data, sent as Nameko's header `nameko.{key}`. It passes on along the service's own calls.
    pub fn context(self, key: &str, value: impl Into<Value>) -> Self {
        self.header(format!("{}{key}", context_data::PREFIX), value)
    }

    /// The token to call with, sent as Nameko's context data `auth_token`. Inside a worker its own token goes along without this.
    pub fn auth_token(self, token: &str) -> Self {
        self.header(Name::from_static(context_data::TOKEN_HEADER), token)
    }
}

impl<T, E> Call<T, E>
where
    T: DeserializeOwned,
    E: ServiceError,
{
    /// Sends the request and returns what to await for its reply. Nameko's `call_async`.
    ///
    /// # Errors
    ///
    /// When it could not be sent, or when its client's policy refuses it. That no service takes it, or none answers, shows when the reply is
    /// awaited. It is one attempt: a client's `retry` does not repeat it, and no fallback answers in its place.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the request may or may not have been sent.
    pub async fn send(mut self) -> Result<PendingReply<T, E>, CallError<E>> {
        let pass = match self.around() {
            Some(around) => Some(Box::pin(self.pass(&around.policy)).await?),
            None => None,
        };
        let (prepared, timeout) = self.prepare()?;
        let state = match prepared {
            Prepared::Remote { mut request, now } => {
                let path = request.path(now).await;
                match request.send(path, now).await {
                    Ok(waiting) => State::Remote { request, path, waiting },
                    Err(failure) => {
                        let error = request.fail(timeout, failure);
                        if let Some(pass) = pass {
                            pass.end(Some(error.judgement(error.classify())));
                        }
                        return Err(error);
                    }
                }
            }
            Prepared::Local(call) => {
                let (service, method, format) = (call.local.service, call.method.clone(), call.format.clone());
                State::Local { service, method, format, task: crate::spawn(call.run()) }
            }
        };
        Ok(PendingReply { timeout, state, pass, answer: PhantomData })
    }

    /// How long it may take from now on.
    pub(super) fn time(&self, context: Option<&WorkerContext>, now: Instant) -> Duration {
        let left = context.and_then(WorkerContext::deadline).map(|outer| outer.saturating_duration_since(now));
        self.effective_timeout().min(left.unwrap_or(LONGEST)).min(LONGEST)
    }

    pub(super) fn has_idempotency_key(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == context_data::IDEMPOTENCY_KEY)
    }

    /// The key that its worker's calls carry, where it has none of its own.
    pub(super) fn take_idempotency_key(&mut self) {
        if !self.has_idempotency_key()
            && let Some(key) = idempotency::next_key()
        {
            self.headers.push((context_data::IDEMPOTENCY_KEY.into(), key.as_str().into()));
        }
    }

    fn effective_timeout(&self) -> Duration {
        self.timeout.unwrap_or(match &self.client.target {
            Target::Remote { rpc, .. } => rpc.settings.timeout,
            Target::Local(_) => Duration::from_secs(30),
        })
    }

    /// What is to be done, and how long it may take.
    fn prepare(mut self) -> Result<(Prepared, Duration), CallError<E>> {
        let now = Instant::now();
        let context = WorkerContext::current();
        let timeout = self.time(context.as_ref(), now);
        if timeout.is_zero() {
            let origin = Origin { service: &self.client.service, method: &self.method, timeout, route: None };
            return Err(origin.fail(Failure::TimedOut { sent: false }));
        }
        self.take_idempotency_key();
        let origin = Origin { service: &self.client.service, method: &self.method, timeout, route: None };
        let body = self.body.map_err(|error| origin.fail(Failure::Encode(error.0)))?;
        let deadline = now + timeout;
        let prepared = match self.client.target {
            Target::Remote { rpc, route } => {
                let calls = route.calls(&rpc.observer, &self.method, self.declared);
                let request = Request {
                    watch: CallWatch::new(calls, &rpc.observer, context.as_ref(), now),
                    rpc,
                    route,
                    method: self.method,
                    format: self.format,
                    body,
                    headers: self.headers,
                    deadline,
                    context,
                };
                Prepared::Remote { request, now }
            }
            Target::Local(local) => Prepared::Local(LocalCall {
                local,
                method: self.method,
                format: self.format,
                body,
                headers: self.headers,
                deadline,
                context,
            }),
        };
        Ok((prepared, timeout))
    }
}

impl<T, E> Call<T, E>
where
    T: DeserializeOwned,
    E: ServiceError,
{
    fn around(&self) -> Option<Around> {
        self.client.policies.as_ref()?.of(&self.method).cloned()
    }

    /// Makes the call as it is, keeps a good answer where it is to be kept, and tells what its error means.
    pub(super) async fn once(self, keep: Option<&Keep>) -> Result<T, (CallError<E>, Class)> {
        let (prepared, timeout) = self.prepare().map_err(CallError::classified)?;
        let (mut request, now) = match prepared {
            Prepared::Remote { request, now } => (request, now),
            Prepared::Local(call) => return call.answer(timeout).await.map_err(CallError::classified),
        };
        let path = request.path(now).await;
        let mut waiting = match request.send(path, now).await {
            Ok(waiting) => waiting,
            Err(failure) => return Err(request.fail(timeout, failure).classified()),
        };
        let answered = request.answer(&mut waiting, path).await;
        let kept = keep.zip(answered.as_ref().ok().cloned());
        let judged = request.judged(timeout, answered);
        if let Some((keep, (format, body))) = kept.filter(|_| judged.is_ok()) {
            keep.keep(&format, &body);
        }
        judged
    }
}

impl<T, E> IntoFuture for Call<T, E>
where
    T: DeserializeOwned + 'static,
    E: ServiceError,
{
    type Output = Result<T, CallError<E>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        // What this future holds across its waits is paid for by every call, so each part is moved out of what it came in.
        Box::pin(async move {
            if let Some(around) = self.around() {
                // Rare, so it takes no room in the future of every call.
                return Box::pin(self.within(around)).await;
            }
            let (prepared, timeout) = self.prepare()?;
            let (mut request, now) = match prepared {
                Prepared::Remote { request, now } => (request, now),
                Prepared::Local(call) => return Box::pin(call.answer(timeout)).await,
            };
            let path = request.path(now).await;
            let mut waiting = match request.send(path, now).await {
                Ok(waiting) => waiting,
                Err(failure) => return Err(request.fail(timeout, failure)),
            };
            let answered = request.answer(&mut waiting, path).await;
            request.finish(timeout, answered)
        })
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No arguments: they may be secrets.
        f.debug_struct("Call")
            .field("service", &self.client.service)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// A request that is on its way; await it for the reply.
#[must_use = "await it for the reply"]
pub struct PendingReply<T, E> {
    timeout: Duration,
    state: State,
    /// Of its client's policy.
    pass: Option<Pass>,
    answer: PhantomData<fn() -> (T, E)>,
}

enum State {
    Remote { request: Request, path: WirePath, waiting: Waiting },
    Local { service: &'static str, method: Name, format: Format, task: JoinHandle<Option<Bytes>> },
}

impl<T, E> IntoFuture for PendingReply<T, E>
where
    T: DeserializeOwned + 'static,
    E: ServiceError,
{
    type Output = Result<T, CallError<E>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let timeout = self.timeout;
            let finished = match self.state {
                State::Remote { mut request, path, mut waiting } => {
                    let answered = request.answer(&mut waiting, path).await;
                    request.judged(timeout, answered)
                }
                State::Local { service, method, format, task } => {
                    let body = task.await.ok().flatten();
                    let answered = body.map(|body| (format, body)).ok_or(Failure::TimedOut { sent: true });
                    Origin { service, method: &method, timeout, route: None }.judged(answered)
                }
            };
            if let Some(pass) = self.pass {
                pass.end(finished.as_ref().err().map(|(error, class)| error.judgement(*class)));
            }
            finished.map_err(|(error, _)| error)
        })
    }
}

impl<T, E> fmt::Debug for PendingReply<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = match &self.state {
            State::Remote { request, .. } => &*request.route.service,
            State::Local { service, .. } => service,
        };
        f.debug_struct("PendingReply").field("service", &service).finish_non_exhaustive()
    }
}

enum Prepared {
    Remote { request: Request, now: Instant },
    Local(LocalCall),
}

/// What the texts of a call's errors need.
#[derive(Clone, Copy)]
struct Origin<'a> {
    service: &'a str,
    method: &'a str,
    timeout: Duration,
    route: Option<&'a Route>,
}

impl Request {
    /// What the call comes to; it is over.
    fn finish<T: DeserializeOwned, E: ServiceError>(
        &mut self,
        timeout: Duration,
        answered: Result<(Format, Bytes), Failure>,
    ) -> Result<T, CallError<E>> {
        self.judged(timeout, answered).map_err(|(error, _)| error)
    }

    /// The same, with what the error means by what has come, which may say more than its type.
    fn judged<T: DeserializeOwned, E: ServiceError>(
        &mut self,
        timeout: Duration,
        answered: Result<(Format, Bytes), Failure>,
    ) -> Result<T, (CallError<E>, Class)> {
        let finished = self.origin(timeout).judged(answered);
        let ended = finished.as_ref().map_or_else(|(error, _)| error.ended(), |_| Ended::Ok);
        self.watch.end(ended, &self.route.service, &self.method);
        finished
    }

    /// Why it has come to nothing; it is over.
    #[cold]
    fn fail<E>(&mut self, timeout: Duration, failure: Failure) -> CallError<E> {
        let error = self.origin(timeout).fail(failure);
        self.watch.end(error.ended(), &self.route.service, &self.method);
        error
    }

    fn origin(&self, timeout: Duration) -> Origin<'_> {
        Origin { service: &self.route.service, method: &self.method, timeout, route: Some(&self.route) }
    }
}

impl Origin<'_> {
    fn finish<T: DeserializeOwned, E: ServiceError>(
        self,
        answered: Result<(Format, Bytes), Failure>,
    ) -> Result<T, CallError<E>> {
        self.judged(answered).map_err(|(error, _)| error)
    }

    fn judged<T: DeserializeOwned, E: ServiceError>(
        self,
        answered: Result<(Format, Bytes), Failure>,
    ) -> Result<T, (CallError<E>, Class)> {
        let (format, body) = answered.map_err(|failure| self.fail(failure).classified())?;
        match decode_reply::<T>(&format, &body) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => {
                let said = fault.retryable.is_some().then(|| Class::of(&fault));
                let (error, class) = CallError::from_fault(fault, self.service, self.method).classified();
                Err((error, said.unwrap_or(class)))
            }
            Err(error) => Err(CallError::BadReply(error.to_string()).classified()),
        }
    }

    #[cold]
    fn fail<E>(self, failure: Failure) -> CallError<E> {
        let service = self.service.to_owned();
        match failure {
            Failure::TimedOut { sent } => {
                let began = Instant::now().checked_sub(self.timeout);
                let no_instance = self.route.zip(began).is_some_and(|(route, began)| route.no_instance(began));
                let method = self.method.to_owned();
                CallError::Timeout(Timeout { service, method, after: self.timeout, no_instance, sent })
            }
            Failure::Unknown { did_you_mean } => CallError::UnknownService { service, did_you_mean },
            Failure::NotSent(text) => CallError::Unavailable(text),
            Failure::NotSendable(text) => CallError::BadRequest(text),
            Failure::Lost => CallError::ReplyChannelLost,
            Failure::TooLarge { bytes, limit } => CallError::TooLarge { bytes, limit },
            Failure::Encode(text) => CallError::BadRequest(format!("an argument cannot be encoded: {text}")),
            Failure::BadReply(text) => CallError::BadReply(text),
        }
    }
}

struct LocalCall {
    local: Arc<Local>,
    method: Name,
    format: Format,
    body: Bytes,
    headers: Vec<(Name, Value)>,
    deadline: Instant,
    context: Option<WorkerContext>,
}

impl LocalCall {
    async fn run(self) -> Option<Bytes> {
        let mut properties = crate::protocol::Properties::default();
        if let Some(context) = &self.context {
            context.pass_on(&mut properties, context_data::PARENT_CALLS_TRACKED, false, None);
        }
        for (name, value) in self.headers {
            properties.headers.set(name, value);
        }
        self.local.call(self.method, self.format, self.body, properties, self.deadline).await
    }

    async fn answer<T: DeserializeOwned, E: ServiceError>(self, timeout: Duration) -> Result<T, CallError<E>> {
        let (service, method, format) = (self.local.service, self.method.clone(), self.format.clone());
        let answered = self.run().await.map(|body| (format, body)).ok_or(Failure::TimedOut { sent: true });
        Origin { service, method: &method, timeout, route: None }.finish(answered)
    }
}
