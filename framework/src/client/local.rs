//! Calls of a service value in this process, without a transport.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::{
    codec::Format,
    context::{Cancelled, WorkerContext, WorkerOrigin},
    protocol::{Fault, Message, Name, Properties, encode_reply},
    service::{MethodInfo, Outcome, WorkerCall},
};

pub(super) struct Local {
    pub(super) service: &'static str,
    pub(super) methods: &'static [MethodInfo],
    pub(super) dispatch: Box<dyn Fn(WorkerCall) -> BoxFuture<'static, Outcome> + Send + Sync>,
}

impl Local {
    /// Runs one call; the reply's body comes in the request's codec. `None` at the deadline.
    pub(super) async fn call(
        self: Arc<Self>,
        method: Name,
        format: Format,
        body: Bytes,
        properties: Properties,
        deadline: Instant,
    ) -> Option<Bytes> {
        let Some(info) = self.methods.iter().find(|info| method == info.name) else {
            let fault = Fault::nameko("MethodNotFound", &*method);
            return encode_reply::<()>(&format, Err(&fault)).ok();
        };
        let context = WorkerContext::new(WorkerOrigin {
            service: self.service,
            entrypoint: info.name,
            message: Arc::new(Message { properties, body, ..Message::default() }),
            deadline: Some(deadline),
            short_path: true,
            ..WorkerOrigin::default()
        });
        let call = WorkerCall::new(info.index, format.clone(), context.clone());
        let mut worker = std::pin::pin!(context.clone().scope((self.dispatch)(call)));
        let outcome = tokio::select! {
            outcome = &mut worker => outcome,
            () = tokio::time::sleep_until(deadline) => {
                context.cancel(Cancelled::DeadlinePassed);
                worker.await
            }
        };
        match outcome {
            Outcome::Reply(body) => Some(body),
            Outcome::Fault { fault, .. } => encode_reply::<()>(&format, Err(&fault)).ok(),
            Outcome::Cancelled(_) | Outcome::Response(_) | Outcome::Done | Outcome::Failed(_) | Outcome::Batch(_) => {
                None
            }
        }
    }
}
