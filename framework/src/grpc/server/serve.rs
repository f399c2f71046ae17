//! One call: from its head to its answer, by way of a worker.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderValue, Request, Response, header::HeaderName};
use hyper::body::Incoming;
use sync_wrapper::SyncWrapper;
use tonic::{Status, body::Body, metadata::MetadataMap};

use super::{body::Timely, requests::Broken, response_metadata::ResponseMetadata, settings::CallSettings};
use crate::{
    context::{Cancelled, WorkerContext},
    entrypoint::request::{Ended, Held, Runner, Target},
    grpc::{metadata::Head, status},
    http::context::REQUEST_ID,
    observe::Watch,
    protocol::{Fault, Message, Properties},
    service::{self, FaultKind, GrpcInfo, Outcome},
};

/// Who answers, as a header of every answer: `inventory/1.4.0`.
pub(super) const SERVER: HeaderName = http::header::SERVER;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const OUT_OF_RANGE: &str = "11";
const RESOURCE_EXHAUSTED: HeaderValue = HeaderValue::from_static("8");

/// One method, as its calls find it.
pub struct Served {
    pub(super) runner: Arc<Runner>,
    pub(super) target: Target,
    pub(super) info: &'static GrpcInfo,
    pub(super) settings: CallSettings,
    pub(super) server: HeaderValue,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Served").field(&self.info.path).finish()
    }
}

/// One call whose head has come.
pub(super) struct Call {
    pub(super) served: Arc<Served>,
    pub(super) context: WorkerContext,
    /// Until its worker takes it.
    watch: Mutex<Option<Watch>>,
    pub(super) broken: Broken,
    id: Option<HeaderValue>,
}

/// What a worker takes: a message, or a stream of them.
pub(in crate::grpc) struct Taken<T>(Mutex<Option<T>>);

impl<T> Taken<T> {
    pub(in crate::grpc) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a method gave: a message, or a stream of them.
pub(in crate::grpc) struct Answered<A>(pub(in crate::grpc) SyncWrapper<A>);

impl<A> fmt::Debug for Answered<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answered")
    }
}

impl<A: Send + 'static> service::Response for Answered<A> {
    fn fault(&self) -> Option<&Fault> {
        None
    }
}

/// A method that came to its end, with what it gave.
pub(super) struct Done<A> {
    pub(super) value: A,
    pub(super) metadata: MetadataMap,
    pub(super) watch: Watch,
    pub(super) held: Option<Held>,
}

impl Served {
    /// The call that a request begins. `is_one_message`: its caller does not stream.
    ///
    /// # Errors
    ///
    /// The answer to a head that says what nobody understands.
    pub(super) fn begin(
        self: Arc<Self>,
        request: Request<Incoming>,
        is_one_message: bool,
    ) -> Result<(Arc<Call>, Request<Timely>), Status> {
        let watch = self.target.arrived();
        let Head { headers, timeout, id } = Head::read(request.headers());
        let properties = Properties { headers, ..Properties::default() };
        let message = Arc::new(Message { properties, ..Message::default() });
        // A limit beyond the end of time is none.
        let given = timeout.as_ref().ok().copied().flatten().and_then(|given| watch.arrived().checked_add(given));
        let deadline = self.target.deadline(&watch).into_iter().chain(given).min();
        let context = self.runner.context(&self.target, &watch, message, deadline);
        if let Err(text) = timeout {
            let fault = Fault {
                grpc: Some("INVALID_ARGUMENT".into()),
                ..Fault::nameko(
                    "MalformedRequest",
                    format!("`grpc-timeout: {text}` is no time: write up to 8 digits and a unit"),
                )
            };
            let outcome = Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Rejected };
            watch.end(&context, &outcome);
            return Err(self.status(&context, &outcome));
        }
        let body_limit = is_one_message.then_some(self.settings.body_timeout);
        let request = request.map(|body| Timely::new(body, body_limit));
        let call = Call { served: self, context, watch: Mutex::new(Some(watch)), broken: Arc::default(), id };
        Ok((Arc::new(call), request))
    }

    /// What failed, as a status.
    fn status(&self, context: &WorkerContext, outcome: &Outcome) -> Status {
        let (service, call_id) = (self.runner.descriptor().name, context.call_id());
        match outcome {
            Outcome::Fault { fault, .. } => status::of_fault(fault, service, call_id),
            Outcome::Cancelled(Cancelled::DeadlinePassed) => {
                Status::deadline_exceeded("the time that the caller gave is over")
            }
            Outcome::Cancelled(_) => status::of_fault(&Fault::stopping(), service, call_id),
            _ => status::of_fault(&Fault::internal("NoAnswer", "the method answers no calls"), service, call_id),
        }
    }
}

impl Call {
    pub(super) fn status(&self, outcome: &Outcome) -> Status {
        self.served.status(&self.context, outcome)
    }

    /// What its stream comes to, once it was cancelled.
    pub(super) fn cancelled(&self, watch: &Watch, reason: Cancelled) -> Outcome {
        self.served.target.cancelled(&self.context, watch, reason)
    }

    /// Runs the worker.
    ///
    /// # Errors
    ///
    /// The method's own, and all that keeps it from its end.
    pub(super) async fn work<T: Send + 'static, A: Send + 'static>(&self, taken: T) -> Result<Done<A>, Status> {
        let watch = self.take_watch().ok_or_else(|| Status::internal("a call has one worker"))?;
        let taken: Arc<dyn Any + Send + Sync> = Arc::new(Taken(Mutex::new(Some(taken))));
        let Served { runner, target, .. } = &*self.served;
        let Ended { outcome, watch, held } = runner.run(target, watch, &self.context, Some(taken), |work| work).await;
        let outcome = match outcome {
            Outcome::Response(answered) => match (answered as Box<dyn Any>).downcast::<Answered<A>>() {
                Ok(answered) => {
                    let metadata = ResponseMetadata::take(&self.context);
                    return Ok(Done { value: answered.0.into_inner(), metadata, watch, held });
                }
                Err(_) => Outcome::Done,
            },
            outcome => outcome,
        };
        watch.end(&self.context, &outcome);
        Err(match self.broken.get() {
            // Whatever the method made of the error that it got.
            Some(status) => status.clone(),
            None => self.status(&outcome),
        })
    }

    fn take_watch(&self) -> Option<Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The whole answer, with what every one has.
    pub(super) fn finish(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(watch) = self.take_watch() {
            // The message could not be read: nothing has run.
            let text = response.headers().get("grpc-message").and_then(|text| text.to_str().ok()).unwrap_or_default();
            let fault = Box::new(Fault::nameko("MalformedRequest", text));
            watch.end(&self.context, &Outcome::Fault { fault, kind: FaultKind::Rejected });
            // As of a stream: the message is larger than we take.
            if response.headers().get(GRPC_STATUS).is_some_and(|code| code == OUT_OF_RANGE) {
                response.headers_mut().insert(GRPC_STATUS, RESOURCE_EXHAUSTED);
            }
        }
        let headers = response.headers_mut();
        headers.insert(SERVER, self.served.server.clone());
        // An id that no log line and no nested call has would tell nobody anything.
        let id = self.id.clone().or_else(|| HeaderValue::from_str(self.context.used_call_id()?).ok());
        headers.extend(id.map(|id| (REQUEST_ID, id)));
        response
    }
}
