//! What a server serves: from a request to its answer, with what goes around all of them.

use std::{
    convert::Infallible,
    future::{Future, ready},
    net::SocketAddr,
    panic::AssertUnwindSafe,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, Version, header},
    response::Response,
};
use futures_util::{FutureExt, future::BoxFuture};
use hyper::body::{Body as _, Incoming};
use tower::{Layer, ServiceExt, service_fn};

use super::{HttpSettings, compression};
use crate::{
    http::{context::RequestId, problem, router::Direct},
    server::Answer,
};

/// A router, and the same with compression, for callers that take it: the others need not pay for asking.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routers {
    /// The way past both; none where something goes around every request.
    direct: Option<Direct>,
    plain: Router,
    packing: Option<Router>,
}

impl Routers {
    /// A router with what goes around all of its requests: CORS, then compression outermost.
    pub(in crate::http) fn surround(router: Router, direct: Option<Direct>, settings: &HttpSettings) -> Self {
        let (plain, direct) = match &settings.cors {
            Some(cors) => (router.layer(cors.layer()), None),
            None => (router, direct),
        };
        let packing = settings.compression.then(|| plain.clone().layer(compression::layer()));
        // With a state, although it is none, handlers are made into services here and not for each request.
        Self { direct, plain: plain.with_state(()), packing: packing.map(|packing| packing.with_state(())) }
    }

    /// Answers a request. Extractors are told of `peer`, where there is one.
    pub(crate) fn answer(&self, mut request: Request<Body>, peer: Option<SocketAddr>) -> BoxFuture<'static, Response> {
        let packing = self.packing.as_ref().filter(|_| request.headers().contains_key(header::ACCEPT_ENCODING));
        if let Some(served) = self.direct.as_ref().and_then(|direct| direct.find(&request)) {
            let served = served.clone();
            if packing.is_none() {
                return served.serve(request).boxed();
            }
            let serve = service_fn(move |request| served.clone().serve(request).map(Ok));
            let packed = compression::layer().layer(serve).oneshot(request);
            return packed.map(|answer| whole(answer).map(Body::new)).boxed();
        }
        let id = RequestId::of(request.headers());
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let answer = packing.unwrap_or(&self.plain).clone().oneshot(request).map(whole);
        async move {
            // The panic hook has said where. Of what a layer of the program's own did the caller hears as well.
            let mut response = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
                problem::response(&problem::plain(StatusCode::INTERNAL_SERVER_ERROR, "a layer panicked"), "")
            });
            id.name(&mut response);
            response
        }
        .boxed()
    }
}

impl Answer for Routers {
    type Body = Body;

    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response> + Send + 'static + use<> {
        if is_for_no_host(&request) {
            let fault = problem::bad_request("MALFORMED_HOST", "`Host` has to be there, once");
            let mut response = problem::response(&fault, "");
            RequestId::of(request.headers()).name(&mut response);
            return ready(response).boxed();
        }
        // Most requests have no body, and an empty one costs nothing.
        let body = |body: Incoming| if body.is_end_stream() { Body::empty() } else { Body::new(body) };
        Routers::answer(self, request.map(body), Some(peer))
    }
}

/// Whether a request names no host, or two of them, of which a proxy may have looked at the other (RFC 9112, 3.2).
fn is_for_no_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let is_named = hosts.next().is_some() || request.version() != Version::HTTP_11;
    !is_named || hosts.next().is_some()
}

impl From<Router> for Routers {
    fn from(plain: Router) -> Self {
        Self { plain: plain.with_state(()), ..Self::default() }
    }
}

fn whole<T>(answer: Result<T, Infallible>) -> T {
    answer.unwrap_or_else(|never| match never {})
}
