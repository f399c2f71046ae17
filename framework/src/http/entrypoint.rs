//! `#[http]`: from a request's head to its answer, by way of a worker.

use std::{any::Any, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;

use super::{
    answer::Answered,
    challenge, context, problem,
    request::Request,
    router::{PathParams, Route},
    serving::{check_declared, watched},
    token_cookie::TokenCookie,
    websocket::{SocketEndpoint, SocketSettings},
};
use crate::{
    Error, Result,
    container::ServiceParts,
    context::{Cancelled, WorkerContext},
    entrypoint::{
        Entrypoint,
        request::{Runner, Target, failure},
    },
    observe::{EntrypointKind, Watch},
    protocol::{Fault, Message, Properties},
    service::{FaultKind, Outcome, RouteInfo},
    transport::{ConsumerStatus, Transport},
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
    /// The most that wait for a worker of one service.
    pub(crate) max_waiting: usize,
}

impl Default for RouteDefaults {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            max_body_bytes: 2 * 1024 * 1024,
            max_waiting: 1024,
        }
    }
}

/// The HTTP side of one container. The listener belongs to the program: this has the routes.
pub(crate) struct HttpEntrypoint {
    runner: Arc<Runner>,
    defaults: RouteDefaults,
    /// Its websockets, where it has methods that their messages fire.
    sockets: Option<Arc<SocketEndpoint>>,
    /// The cookie of its callers' tokens, where the settings name one.
    cookie: Arc<Result<Option<TokenCookie>>>,
}

/// One route, as its requests find it.
pub(super) struct Served {
    runner: Arc<Runner>,
    defaults: RouteDefaults,
    info: &'static RouteInfo,
    params: PathParams,
    target: Target,
    cookie: Arc<Result<Option<TokenCookie>>>,
}

impl HttpEntrypoint {
    pub(crate) fn new(of: ServiceParts, defaults: RouteDefaults, sockets: &SocketSettings) -> Self {
        let scope = of.scope.clone();
        let runner = Runner::new(of.service, of.limits, of.tasks, defaults.max_waiting);
        let cookie = Arc::new(TokenCookie::of(&scope));
        let sockets = SocketEndpoint::new(&runner, &scope, defaults.timeout, sockets, &cookie);
        Self { runner, defaults, sockets, cookie }
    }

    /// Whether what the settings say of it makes sense.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), where it does not.
    pub(super) fn check(&self) -> Result<()> {
        match &*self.cookie {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::new(error.kind(), error.chain())),
        }
    }

    /// Its routes, for the program's router.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route> + '_ {
        let descriptor = self.runner.descriptor();
        let routes = descriptor.routes.iter().map(|info| {
            let limit = info.timeout.unwrap_or(self.defaults.timeout);
            let (method, route) = ((info.index, info.method), (info.verb, info.path));
            let target = self.runner.target(method, EntrypointKind::Http, Some(route), info.max_workers, Some(limit));
            let (runner, params) = (self.runner.clone(), PathParams::of(info.path));
            let served =
                Arc::new(Served { runner, defaults: self.defaults, info, params, target, cookie: self.cookie.clone() });
            let owner = format!("`{}.{}`", descriptor.name, info.method);
            let routed = served.clone();
            let route = Route::new(info.verb, info.path, owner, move |request| routed.clone().serve(request));
            if info.extracts { route } else { route.directly(served) }
        });
        routes.chain(self.sockets.as_ref().and_then(SocketEndpoint::route))
    }
}

impl Drop for HttpEntrypoint {
    fn drop(&mut self) {
        // The program ends without order; sockets run in tasks of axum's.
        if let Some(sockets) = &self.sockets {
            sockets.end();
        }
    }
}

#[async_trait]
impl Entrypoint for HttpEntrypoint {
    async fn start(&self, transport: &Arc<dyn Transport>, _: u16) -> Result<()> {
        match &self.sockets {
            Some(sockets) => sockets.start(transport).await,
            None => Ok(()),
        }
    }

    async fn stop_taking(&self) {
        if let Some(sockets) = &self.sockets {
            sockets.stop_taking().await;
        }
    }

    fn cancel_workers(&self) {
        self.runner.workers.cancel_all(Cancelled::Stopping);
    }

    fn consumer_statuses(&self) -> Vec<ConsumerStatus> {
        self.sockets.iter().filter_map(|sockets| sockets.consumer_status()).collect()
    }

    fn running(&self) -> usize {
        self.runner.workers.len()
    }
}

impl Served {
    /// One request.
    // No `async fn`: its future would have room for the request twice, whole and in parts.
    pub(super) fn serve(
        self: Arc<Self>,
        request: axum::extract::Request,
    ) -> impl Future<Output = Response> + Send + use<> {
        let (mut parts, body) = request.into_parts();
        async move {
            let context::Head { headers, id } =
                context::Head::read(&parts.headers, self.cookie().and_then(|cookie| cookie.token(&parts)));
            let path = self.path(parts.uri.path());
            let mut watch = None;
            let read = match self.info.extracts {
                true => {
                    let limits = RouteDefaults { max_body_bytes: self.max_body_bytes(), ..self.defaults };
                    watched(&mut parts, body, limits).map(|(body, body_watch)| {
                        watch = Some(body_watch);
                        (Bytes::new(), Some(body))
                    })
                }
                false => self.read_body(&parts.headers, body).await.map(|body| (body, None)),
            };
            let message = move |body| {
                let properties = Properties { headers, ..Properties::default() };
                Arc::new(Message { properties, body, ..Message::default() })
            };
            // Its time begins when all of it is there: whoever sends slowly is not the worker's doing.
            let arrived = self.target.arrived();
            let (message, unread, path) = match (read, path) {
                (Ok((body, unread)), Ok(path)) => (message(body), unread, path),
                (Err(fault), _) | (_, Err(fault)) => {
                    let deadline = self.target.deadline(&arrived);
                    let context = self.runner.context(&self.target, &arrived, message(Bytes::new()), deadline);
                    let outcome = Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Rejected };
                    return self.answer((outcome, arrived), &context, id);
                }
            };
            let deadline = self.target.deadline(&arrived);
            let context = self.runner.context(&self.target, &arrived, message, deadline);
            let request = Arc::new(Request::new(parts, path, unread));
            let ended = self.runner.run(&self.target, arrived, &context, Some(request), |work| work).await;
            let (outcome, seen) = (ended.outcome, ended.watch);
            let outcome = match watch.and_then(|watch| watch.fault()) {
                None => outcome,
                Some(fault) => Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Rejected },
            };
            self.answer((outcome, seen), &context, id)
        }
    }

    fn cookie(&self) -> Option<&TokenCookie> {
        self.cookie.as_ref().as_ref().ok()?.as_ref()
    }

    fn max_body_bytes(&self) -> usize {
        self.info.max_body_bytes.unwrap_or(self.defaults.max_body_bytes)
    }

    /// The path's parameters, under the names that this route has for them.
    fn path(&self, path: &str) -> Result<Vec<(&'static str, String)>, Fault> {
        let params = self.params.find(path).map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8();
            let refuse = |_| problem::bad_request("MALFORMED_PATH", "the path is not UTF-8 once it is decoded");
            Ok((name, value.map_err(refuse)?.into_owned()))
        });
        params.collect()
    }

    /// The whole body. Before the worker takes its slot: whoever sends slowly holds nobody up.
    async fn read_body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limit = self.max_body_bytes();
        check_declared(headers, limit)?;
        let read = Limited::new(body, limit).collect();
        match tokio::time::timeout(self.defaults.body_timeout, read).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(problem::too_large(limit)),
            Ok(Err(_)) => Err(problem::bad_request("BODY_LOST", "the body did not arrive whole")),
            Err(_) => Err(problem::too_slow(self.defaults.body_timeout)),
        }
    }

    /// Server-sent events end when the service stops: who listens asks again, and finds another instance.
    fn until_stopped(&self, response: Response) -> Response {
        if !is_event_stream(&response) {
            return response;
        }
        let stopped = Box::pin(self.runner.stopped());
        response.map(|body| Body::from_stream(body.into_data_stream().take_until(stopped)))
    }

    fn answer(&self, (outcome, seen): (Outcome, Watch), context: &WorkerContext, id: Option<HeaderValue>) -> Response {
        seen.end(context, &outcome);
        let mut response = match outcome {
            Outcome::Response(answered) => match (answered as Box<dyn Any>).downcast::<Answered>() {
                Ok(answered) => self.until_stopped(answered.response.into_inner()),
                Err(_) => problem::response(&no_request(), context.call_id()),
            },
            outcome => {
                let fault = failure(outcome, no_request);
                let mut response = problem::response(&fault, context.call_id());
                challenge::ask(&mut response, self.info.security);
                response
            }
        };
        // An id that no log line, no nested call and no problem has would tell nobody anything.
        let id = id.or_else(|| HeaderValue::from_str(context.used_call_id()?).ok());
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

/// Whether a response goes on for as long as somebody listens.
fn is_event_stream(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|content_type| content_type.as_bytes().starts_with(b"text/event-stream"))
}

#[cold]
fn no_request() -> Fault {
    Fault::internal("NoRequest", "the method answers no requests")
}
