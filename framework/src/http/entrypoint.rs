//! `#[http]`: from a request's head to its answer, by way of a worker.

use std::{
    any::Any,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    body::{Body, HttpBody},
    extract::RawPathParams,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;
use tracing::Instrument;

use super::{answer::Answered, context, problem, request::Request, router::Route, server::watched};
use crate::{
    Result,
    codec::Format,
    container::ServiceParts,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    entrypoint::{Entrypoint, timeout},
    protocol::{Fault, Message, Properties, excerpt},
    service::{DynService, Outcome, RouteInfo, WorkerCall},
    task::Tasks,
    transport::{ConsumerStatus, Transport},
    worker::{Limits, MethodSlots, Workers, log},
};

/// What holds for routes that do not say otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RouteDefaults {
    /// How long a worker may run.
    pub(crate) timeout: Duration,
    /// How long a body may take to arrive.
    pub(crate) body_timeout: Duration,
    /// The most bytes of a body.
    pub(crate) max_body_bytes: usize,
}

impl Default for RouteDefaults {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            max_body_bytes: 2 * 1024 * 1024,
        }
    }
}

/// The HTTP side of one container. The listener belongs to the program: this has the routes.
pub(crate) struct HttpEntrypoint {
    shared: Arc<Shared>,
}

struct Shared {
    service: Arc<dyn DynService>,
    limits: Arc<Limits>,
    tasks: Tasks,
    workers: Arc<Workers>,
    defaults: RouteDefaults,
}

/// One route, as its requests find it.
struct Served {
    shared: Arc<Shared>,
    info: &'static RouteInfo,
    slots: Arc<MethodSlots>,
}

impl HttpEntrypoint {
    pub(crate) fn new(of: ServiceParts, defaults: RouteDefaults) -> Self {
        let ServiceParts { service, limits, tasks } = of;
        let workers = Workers::new(&tasks);
        Self { shared: Arc::new(Shared { service, limits, tasks, workers, defaults }) }
    }

    /// Its routes, for the program's router.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route> + '_ {
        let descriptor = self.shared.service.descriptor();
        descriptor.routes.iter().map(|info| {
            let slots = Arc::new(MethodSlots::new(self.shared.limits.clone(), info.max_workers));
            let served = Arc::new(Served { shared: self.shared.clone(), info, slots });
            let owner = format!("`{}.{}`", descriptor.name, info.method);
            Route::new(info.verb, info.path, owner, move |request| served.clone().serve(request))
        })
    }
}

#[async_trait]
impl Entrypoint for HttpEntrypoint {
    async fn start(&self, _: &Arc<dyn Transport>, _: u16) -> Result<()> {
        Ok(())
    }

    async fn stop_taking(&self) {}

    fn cancel_workers(&self) {
        self.shared.workers.cancel_all(Cancelled::Stopping);
    }

    fn consumer_statuses(&self) -> Vec<ConsumerStatus> {
        Vec::new()
    }

    fn running(&self) -> usize {
        self.shared.workers.len()
    }
}

impl Served {
    /// One request.
    async fn serve(self: Arc<Self>, request: axum::extract::Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let head = context::Head::read(&parts.headers);
        let message = |body| {
            Arc::new(Message {
                properties: Properties { headers: head.headers.clone(), ..Properties::default() },
                body,
                ..Message::default()
            })
        };
        let path = self.path(&mut parts).await;
        let mut watch = None;
        let read = match self.info.extracts {
            true => {
                let limits = RouteDefaults { max_body_bytes: self.max_body_bytes(), ..self.shared.defaults };
                watched(&mut parts, body, limits).map(|(body, body_watch)| {
                    watch = Some(body_watch);
                    (Bytes::new(), Some(body))
                })
            }
            false => self.read_body(&parts.headers, body).await.map(|body| (body, None)),
        };
        let (message, unread, path) = match (read, path) {
            (Ok((body, unread)), Ok(path)) => (message(body), unread, path),
            (Err(fault), _) | (_, Err(fault)) => {
                let context = self.context(message(Bytes::new()), None);
                return self.answer(Outcome::Fault { fault: Box::new(fault), expected: true }, &context, &head);
            }
        };
        let limit = self.info.timeout.unwrap_or(self.shared.defaults.timeout);
        // A limit beyond the end of time is none.
        let context = self.context(message, Instant::now().checked_add(limit));
        let request = Arc::new(Request::new(parts, path, unread));
        let work = Working {
            tasks: self.shared.tasks.clone(),
            context: context.clone(),
            work: Some(self.clone().work(context.clone(), request).boxed()),
        };
        let outcome = work.await;
        let outcome = match watch.and_then(|watch| watch.fault()) {
            None => outcome,
            Some(fault) => Outcome::Fault { fault: Box::new(fault), expected: true },
        };
        self.answer(outcome, &context, &head)
    }

    fn max_body_bytes(&self) -> usize {
        self.info.max_body_bytes.unwrap_or(self.shared.defaults.max_body_bytes)
    }

    fn context(&self, message: Arc<Message>, deadline: Option<Instant>) -> WorkerContext {
        WorkerContext::new(WorkerOrigin {
            service: self.shared.service.descriptor().name,
            entrypoint: self.info.method,
            deadline,
            slots: Some(self.slots.clone()),
            message,
            ..WorkerOrigin::default()
        })
    }

    /// The path's parameters, under the names that this route has for them.
    async fn path(&self, parts: &mut axum::http::request::Parts) -> Result<Vec<(String, String)>, Fault> {
        if !self.info.path.contains('{') {
            return Ok(Vec::new());
        }
        use axum::extract::FromRequestParts;
        let raw = RawPathParams::from_request_parts(parts, &())
            .await
            .map_err(|_| problem::bad_request("MALFORMED_PATH", "the path is not UTF-8 once it is decoded"))?;
        let names = super::router::names(self.info.path);
        Ok(names.zip(raw.iter()).map(|(name, (_, value))| (name.to_owned(), value.to_owned())).collect())
    }

    /// The whole body. Before the worker takes its slot: whoever sends slowly holds nobody up.
    async fn read_body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limit = self.max_body_bytes();
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit as u64) {
            return Err(problem::too_large(limit));
        }
        let read = Limited::new(body, limit).collect();
        match tokio::time::timeout(self.shared.defaults.body_timeout, read).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(problem::too_large(limit)),
            Ok(Err(_)) => Err(problem::bad_request("BODY_LOST", "the body did not arrive whole")),
            Err(_) => Err(problem::too_slow(self.shared.defaults.body_timeout)),
        }
    }

    /// The worker, from the wait for its slot to its end.
    async fn work(self: Arc<Self>, context: WorkerContext, request: Arc<Request>) -> Outcome {
        // A stop waits for it, although its task is the connection's.
        let _task = self.shared.tasks.token();
        let _running = self.shared.workers.enter(context.clone());
        if !self.slots.take_free() {
            match context.until_cancelled(Box::pin(self.slots.take())).await {
                Ok(Some(())) => {}
                Ok(None) => return Outcome::Cancelled(Cancelled::Stopping),
                Err(Cancelled::DeadlinePassed) => return busy(),
                Err(reason) => return Outcome::Cancelled(reason),
            }
        }
        if let Some(slot) = context.slot() {
            slot.taken();
        }
        let call =
            WorkerCall { request: Some(request), ..WorkerCall::new(self.info.index, Format::Json, context.clone()) };
        let worker = context.clone().scope(self.shared.service.clone().dispatch(call));
        match log::span(&context) {
            Some(span) => worker.instrument(span).await,
            None => worker.await,
        }
    }

    fn answer(&self, outcome: Outcome, context: &WorkerContext, head: &context::Head) -> Response {
        let (service, method, call_id) = (context.service(), context.entrypoint(), context.call_id());
        let mut response = match outcome {
            Outcome::Response(answered) => {
                match answered.fault() {
                    None => tracing::debug!(service, method, "request answered"),
                    Some(fault) => tracing::warn!(service, method, call_id, %fault, "request failed as expected"),
                }
                match (answered as Box<dyn Any>).downcast::<Answered>() {
                    Ok(answered) => answered.response.into_inner(),
                    Err(_) => problem::response(&no_request(), call_id),
                }
            }
            Outcome::Fault { fault, expected } => {
                if expected {
                    tracing::warn!(service, method, call_id, fault = excerpt(&fault), "request failed as expected");
                } else {
                    tracing::error!(service, method, call_id, fault = excerpt(&fault), "request failed");
                }
                problem::response(&fault, call_id)
            }
            Outcome::Cancelled(reason) => {
                tracing::warn!(service, method, call_id, %reason, "request dropped");
                match reason {
                    Cancelled::DeadlinePassed => {
                        let limit = self.info.timeout.unwrap_or(self.shared.defaults.timeout);
                        problem::response(&timeout(service, method, Some(limit)), call_id)
                    }
                    Cancelled::Stopping | Cancelled::ConnectionLost => problem::response(&problem::stopping(), call_id),
                }
            }
            // Of methods that something else than a request fires.
            Outcome::Reply(_) | Outcome::Done | Outcome::Failed(_) | Outcome::Batch(_) => {
                problem::response(&no_request(), call_id)
            }
        };
        let id = head.request_id.clone().or_else(|| HeaderValue::from_str(call_id).ok());
        if let Some(id) = id {
            response.headers_mut().insert(context::REQUEST_ID, id);
        }
        if response.status() == StatusCode::SERVICE_UNAVAILABLE && !response.headers().contains_key(header::RETRY_AFTER)
        {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cold]
fn no_request() -> Fault {
    Fault::internal("NoRequest", "the method answers no requests")
}

#[cold]
fn busy() -> Outcome {
    let fault = Fault {
        code: Some("BUSY".into()),
        http: Some(StatusCode::SERVICE_UNAVAILABLE.as_u16()),
        retryable: Some(true),
        ..Fault::nameko("Busy", "all workers were busy for as long as the request may take")
    };
    Outcome::Fault { fault: Box::new(fault), expected: true }
}

/// A worker whose request may go away: then it is cancelled, and its hooks run to their end all the same.
struct Working {
    work: Option<BoxFuture<'static, Outcome>>,
    context: WorkerContext,
    tasks: Tasks,
}

impl Future for Working {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Some(work) = &mut self.work else { unreachable!("polled after its end") };
        let outcome = std::task::ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.context.cancel(Cancelled::ConnectionLost);
            self.tasks.spawn(work.map(drop));
        }
    }
}
