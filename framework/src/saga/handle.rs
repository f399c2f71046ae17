//! A saga that was started, awaited or told something.

use std::{fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::{select, sync::watch, time::sleep};

use super::{
    Instance, SagaState,
    definition::Definition,
    engine::Engine,
    error::{SagaError, SagaRefusal},
    hosted::{HostedSaga, SagaStatus},
};
use crate::{Result, protocol::Value};

/// The shortest time between two looks for a saga that another process runs.
const SHORTEST_LOOK: Duration = Duration::from_millis(100);

/// One saga: await it for its output.
///
/// It runs whether it is awaited or not. Awaited where it runs, it is told at once how it ends, elsewhere within half a lease.
///
/// # Cancel safety
///
/// Dropping it, or the future it becomes, withdraws the wait; the saga goes on.
#[must_use = "the saga goes on by itself; await it for how it ends"]
pub struct SagaHandle<P> {
    engine: Arc<Engine>,
    id: String,
    rest: watch::Receiver<Option<Arc<Instance>>>,
    /// It may be at rest already.
    look: bool,
    saga: PhantomData<fn() -> P>,
}

impl<P: Definition> SagaHandle<P> {
    pub(super) fn new(
        engine: Arc<Engine>,
        id: String,
        rest: watch::Receiver<Option<Arc<Instance>>>,
        look: bool,
    ) -> Self {
        Self { engine, id, rest, look, saga: PhantomData }
    }

    /// Its business id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How it stands, with its timeline; `None`: there is none of this id.
    ///
    /// # Errors
    ///
    /// When the log fails.
    pub async fn status(&self) -> Result<Option<SagaStatus>> {
        self.hosted().status(&self.id).await
    }

    /// As [`HostedSaga::signal`].
    ///
    /// # Errors
    ///
    /// As that one.
    pub async fn signal(&self, signal: &str, payload: impl Serialize) -> Result<(), SagaRefusal> {
        self.hosted().signal(&self.id, signal, payload).await
    }

    /// As [`HostedSaga::cancel`].
    ///
    /// # Errors
    ///
    /// As that one.
    pub async fn cancel(&self) -> Result<(), SagaRefusal> {
        self.hosted().cancel(&self.id).await
    }

    fn hosted(&self) -> HostedSaga {
        HostedSaga(self.engine.clone())
    }

    /// How it stands when it is at rest.
    #[cfg(feature = "testing")]
    pub(crate) async fn at_rest(self) -> Result<Arc<Instance>, SagaError> {
        self.rest().await
    }

    /// Waits until it is at rest.
    async fn rest(mut self) -> Result<Arc<Instance>, SagaError> {
        let id = self.engine.id(&self.id);
        loop {
            if let Some(instance) = self.rest.borrow_and_update().clone() {
                return Ok(instance);
            }
            // At first it runs here, as far as anybody knows.
            if std::mem::replace(&mut self.look, true) {
                match self.engine.log.load(&id).await.map_err(SagaError::Log)? {
                    None => return Err(SagaError::NotFound { id: self.id }),
                    Some(found) if found.state.is_over() || found.state == SagaState::Parked => {
                        return Ok(Arc::new(found));
                    }
                    Some(_) => {}
                }
            }
            select! {
                changed = self.rest.changed() => {
                    if changed.is_err() {
                        self.rest = self.engine.watch(&self.id);
                    }
                }
                () = sleep((self.engine.holder.lease / 2).max(SHORTEST_LOOK)) => {}
            }
        }
    }
}

impl<P: Definition> IntoFuture for SagaHandle<P> {
    type Output = Result<P::Output, SagaError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let instance = self.rest().await?;
            if instance.state != SagaState::Completed {
                return Err(SagaError::of(&instance));
            }
            // Of a last step that was skipped there is none.
            let output = instance.progress.steps.last().and_then(|step| step.output.as_ref()).unwrap_or(&Value::Null);
            P::Output::deserialize(output).map_err(|error| SagaError::Output(error.to_string()))
        })
    }
}

impl<P> fmt::Debug for SagaHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaHandle").field("id", &self.id).finish_non_exhaustive()
    }
}
