//! The four patterns of calls, each as tonic serves it.

use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};
use http::{Request, Response};
use hyper::body::Incoming;
use prost::Message;
use tonic::{Status, body::Body, codec::CompressionEncoding, server::Grpc};
use tonic_prost::ProstCodec;

use super::{
    body::Timely,
    requests::Streaming,
    responses::{Items, Responses},
    serve::{Call, Served},
};
use crate::{
    grpc::{method::Method, pattern},
    service::Outcome,
};

/// How calls of one method are served, whatever their types.
#[derive(Clone, Copy)]
pub struct Serve(pub(in crate::grpc) fn(Arc<Served>, Request<Incoming>) -> BoxFuture<'static, Response<Body>>);

impl fmt::Debug for Serve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serve")
    }
}

/// A pattern of calls, with its types.
pub trait Pattern {
    /// What the method takes.
    type Request: Send + 'static;
    /// Whether the caller streams.
    const STREAMS_REQUESTS: bool;
    /// Whether the method streams.
    const STREAMS_RESPONSES: bool;

    /// Serves one call.
    fn serve(served: Arc<Served>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>>;
}

macro_rules! pattern {
    ($pattern:ident, $request:ident, $requests:literal, $responses:literal, $worker:ident, $tonic:ident) => {
        impl<I, O> Pattern for Method<pattern::$pattern, I, O>
        where
            I: Message + Default + Send + 'static,
            O: Message + Send + 'static,
        {
            type Request = $request<I>;
            const STREAMS_REQUESTS: bool = $requests;
            const STREAMS_RESPONSES: bool = $responses;

            fn serve(served: Arc<Served>, request: Request<Incoming>) -> BoxFuture<'static, Response<Body>> {
                let (call, request) = match served.begin(request, !$requests) {
                    Ok(begun) => begun,
                    Err(status) => return ready(status.into_http()).boxed(),
                };
                async move {
                    let mut grpc = call.grpc::<I, O>(&request);
                    let worker = $worker { call: call.clone(), read: Read::$request, gives: PhantomData::<fn() -> O> };
                    let response = grpc.$tonic(worker, request).await;
                    call.finish(response)
                }
                .boxed()
            }
        }
    };
}

/// One message, and no stream of them.
type Whole<I> = I;

/// How a method takes what tonic has read.
struct Read;

#[allow(non_snake_case, reason = "each is called as what it gives")]
impl Read {
    fn Whole<I>(message: I, _: &Call) -> I {
        message
    }

    fn Streaming<I>(messages: tonic::Streaming<I>, call: &Call) -> Streaming<I> {
        Streaming::new(messages, call.broken.clone())
    }
}

pattern!(Unary, Whole, false, false, One, unary);
pattern!(ClientStreaming, Streaming, true, false, One, client_streaming);
pattern!(ServerStreaming, Whole, false, true, Many, server_streaming);
pattern!(BidiStreaming, Streaming, true, true, Many, streaming);

impl Call {
    fn grpc<I, O>(&self, request: &Request<Timely>) -> Grpc<ProstCodec<O, I>>
    where
        I: Message + Default + Send + 'static,
        O: Message + Send + 'static,
    {
        let settings = &self.served.settings;
        let grpc = Grpc::new(ProstCodec::default())
            .max_decoding_message_size(settings.max_message_bytes)
            .accept_compressed(CompressionEncoding::Gzip);
        // Who compresses has a slow line, and reads what is compressed. Others could read it as well, and it costs both sides time.
        let compresses =
            settings.compression || request.headers().get("grpc-encoding").is_some_and(|name| name == "gzip");
        if compresses { grpc.send_compressed(CompressionEncoding::Gzip) } else { grpc }
    }
}

/// A worker that gives one message.
struct One<R, T, O> {
    call: Arc<Call>,
    read: fn(R, &Call) -> T,
    gives: PhantomData<fn() -> O>,
}

/// A worker that gives a stream of them.
struct Many<R, T, O> {
    call: Arc<Call>,
    read: fn(R, &Call) -> T,
    gives: PhantomData<fn() -> O>,
}

impl<R, T, O> tower::Service<tonic::Request<R>> for One<R, T, O>
where
    R: Send + 'static,
    T: Send + 'static,
    O: Send + 'static,
{
    type Response = tonic::Response<O>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<R>) -> Self::Future {
        let (call, read) = (self.call.clone(), self.read);
        async move {
            let taken = read(request.into_inner(), &call);
            let done = call.work::<T, O>(taken).await?;
            done.watch.end(&call.context, &Outcome::Done);
            Ok(tonic::Response::from_parts(done.metadata, done.value, http::Extensions::new()))
        }
        .boxed()
    }
}

impl<R, T, O> tower::Service<tonic::Request<R>> for Many<R, T, O>
where
    R: Send + 'static,
    T: Send + 'static,
    O: Send + 'static,
{
    type Response = tonic::Response<Responses<O>>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<R>) -> Self::Future {
        let (call, read) = (self.call.clone(), self.read);
        async move {
            let taken = read(request.into_inner(), &call);
            let done = call.work::<T, Items<O>>(taken).await?;
            let responses = Responses::new(done.value, call.clone(), done.watch, done.held);
            Ok(tonic::Response::from_parts(done.metadata, responses, http::Extensions::new()))
        }
        .boxed()
    }
}
