use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Fired;
use crate::service::{DynService, Outcome, ServiceDescriptor, WorkerCall};

/// Who wants to know of each worker that is over.
#[derive(Default)]
pub(super) struct Watch(Mutex<Vec<UnboundedSender<Fired>>>);

impl Watch {
    /// All that fires from now on.
    pub(super) fn listen(&self) -> UnboundedReceiver<Fired> {
        let (sender, receiver) = unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    fn over(&self, call: &WorkerCall, descriptor: &'static ServiceDescriptor, outcome: &Outcome) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.is_empty() {
            return;
        }
        let mut methods = descriptor.methods.iter().chain(descriptor.sockets);
        let method = methods.find(|method| method.index == call.index);
        let fired = Fired::new(call, method.map_or(&[], |method| method.params), outcome);
        listeners.retain(|listener| listener.send(fired.clone()).is_ok());
    }
}

/// A service whose workers are told when they are over: after teardown, before the reply leaves.
///
/// Around the whole service, so that every kind of entrypoint is seen alike and a service that is not tested has nothing of it.
pub(super) struct Watched {
    pub(super) service: Arc<dyn DynService>,
    pub(super) descriptor: &'static ServiceDescriptor,
    pub(super) watch: Arc<Watch>,
}

impl DynService for Watched {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        self.descriptor
    }

    fn dispatch(self: Arc<Self>, call: WorkerCall) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            let outcome = self.service.clone().dispatch(call.clone()).await;
            self.watch.over(&call, self.descriptor, &outcome);
            outcome
        })
    }
}
