//! Which method a call is for.

use std::{collections::HashMap, future::Future, net::SocketAddr, sync::Arc};

use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use kinoko_text::nearest;
use tonic::{Status, body::Body};

use super::{
    patterns::Serve,
    serve::{SERVER, Served},
};
use crate::{Error, ErrorKind, Result, server::Answer};

/// All that a program serves, by path.
pub(super) struct Table {
    methods: HashMap<&'static str, (Serve, Arc<Served>)>,
    /// What every program serves: health and reflection.
    own: Vec<Own>,
    server: HeaderValue,
}

/// A service of ours, as the one function that answers its calls.
pub(super) struct Own {
    pub(super) name: &'static str,
    pub(super) answer: Box<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>,
}

impl Table {
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where two methods have one path.
    pub(super) fn new(
        served: impl IntoIterator<Item = (Serve, Arc<Served>)>,
        own: Vec<Own>,
        server: HeaderValue,
    ) -> Result<Self> {
        let mut methods = HashMap::<_, (Serve, Arc<Served>)>::new();
        for (serve, served) in served {
            let (path, service) = (served.info.path, served.runner.descriptor().name);
            if let Some((_, other)) = methods.insert(path, (serve, served)) {
                let other = other.runner.descriptor().name;
                let text = format!(
                    "the gRPC method `{path}` is served twice, by `{other}` and by `{service}`: one program has one of them"
                );
                return Err(Error::new(ErrorKind::Config, text));
            }
        }
        Ok(Self { methods, own, server })
    }

    /// Why nobody serves a path.
    fn unknown(&self, path: &str) -> Status {
        let text = match nearest(path, self.methods.keys().copied()) {
            Some(near) => format!("no method `{path}` here: did you mean `{near}`?"),
            None => format!("no method `{path}` here"),
        };
        Status::unimplemented(text)
    }

    fn refuse(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let is_grpc = request.headers().get(header::CONTENT_TYPE).is_some_and(|content_type| {
            let rest = content_type.as_bytes().strip_prefix(b"application/grpc");
            rest.is_some_and(|rest| rest.is_empty() || rest == b"+proto" || rest.starts_with(b";"))
        });
        let status = match () {
            () if request.method() != Method::POST => StatusCode::METHOD_NOT_ALLOWED,
            () if !is_grpc => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            () => return None,
        };
        let mut response = Response::new(Body::new(format!(
            "this port speaks gRPC alone: POST, `content-type: application/grpc`{}\n",
            if status == StatusCode::UNSUPPORTED_MEDIA_TYPE { " with messages of protobuf" } else { "" }
        )));
        *response.status_mut() = status;
        Some(response)
    }
}

impl Answer for Table {
    type Body = Body;

    fn answer(
        &self,
        request: Request<Incoming>,
        _: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send + 'static + use<> {
        if let Some(refused) = self.refuse(&request) {
            return ready(refused).boxed();
        }
        let path = request.uri().path();
        if let Some((Serve(serve), served)) = self.methods.get(path) {
            return serve(served.clone(), request);
        }
        let server = self.server.clone();
        let service = path.get(1..).and_then(|path| path.split_once('/')).map_or("", |(service, _)| service);
        let answer = match self.own.iter().find(|own| own.name == service) {
            Some(own) => (own.answer)(request.map(Body::new)),
            None => ready(self.unknown(path).into_http()).boxed(),
        };
        async move {
            let mut response = answer.await;
            response.headers_mut().insert(SERVER, server);
            response
        }
        .boxed()
    }
}
