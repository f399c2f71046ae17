//! The field of a service that hosts a saga.

use std::{fmt, marker::PhantomData, ops::Deref, sync::Arc};

use super::{
    definition::Definition, engine::Engine, error::StartError, events::SagaEvents, handle::SagaHandle,
    hosted::HostedSaga, steps::Hosted, store::SagaStore,
};
use crate::{
    Result,
    config::SettingInfo,
    dependency::{Dependency, SetupContext},
    event::EventDispatcher,
};

/// Hosts a saga: a field of a service, whose instances run what is started by it, or by another instance.
///
/// The saga's own struct is set up with the service, as a service is: its fields are dependencies.
/// Everything of [`HostedSaga`] is here too: [`status`](HostedSaga::status), [`signal`](HostedSaga::signal),
/// [`cancel`](HostedSaga::cancel), [`parked`](HostedSaga::parked), [`retry`](HostedSaga::retry).
///
/// Option `events = true`: the service dispatches `saga_started`, `saga_completed`, `saga_compensated` and `saga_parked`, each a
/// [`SagaEvent`](super::SagaEvent).
pub struct Saga<P> {
    hosted: HostedSaga,
    saga: PhantomData<fn() -> P>,
}

/// The options of a [`Saga`] field.
#[derive(Debug, Clone, Copy, Default)]
pub struct SagaOptions {
    /// Whether the service dispatches an event when a saga starts and when it comes to rest. Default: it does not.
    pub events: bool,
}

impl<P: Definition> Saga<P> {
    pub(crate) fn host(engine: Arc<Engine>) -> Self {
        Self { hosted: HostedSaga(engine), saga: PhantomData }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.hosted.0
    }

    /// Starts a saga under an id of the business: an order's number, a request's id. Returns when it is in the log.
    ///
    /// A second start with the same id gives the first's handle, so that whoever does not know whether its start succeeded starts again.
    /// The saga takes along the context of the worker that starts it: context data, trace, call-id stack.
    ///
    /// # Errors
    ///
    /// When there is one of this id that was started with another input, or by another service; when the log fails.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the saga was started or not.
    pub async fn start(&self, id: impl Into<String>, input: P::Input) -> Result<SagaHandle<P>, StartError> {
        let id = id.into();
        let input = serde_json::to_value(input).map_err(|error| StartError::Input(error.to_string()))?;
        let engine = &self.hosted.0;
        let rest = engine.watch(&id);
        let began = engine.start(id.clone(), input).await?;
        Ok(SagaHandle::new(engine.clone(), id, rest, !began))
    }

    /// The handle of a saga that was started before.
    pub fn handle(&self, id: impl Into<String>) -> SagaHandle<P> {
        let id = id.into();
        let rest = self.hosted.0.watch(&id);
        SagaHandle::new(self.hosted.0.clone(), id, rest, true)
    }
}

impl<P: Definition> Dependency for Saga<P> {
    type Options = SagaOptions;

    fn settings(_: &SagaOptions) -> Vec<SettingInfo> {
        // What is wrong with an option is told when it is set up.
        P::settings().unwrap_or_default()
    }

    async fn setup(cx: &SetupContext, options: SagaOptions) -> Result<Self> {
        let store = cx.require::<SagaStore>().await?;
        let steps = Arc::new(Hosted(P::setup(cx).await?));
        let events = options.events.then(|| SagaEvents::new(EventDispatcher::new(cx.sender().clone()), cx.service()));
        let saga = Self::host(Engine::new(
            cx.service(),
            steps,
            store.log().clone(),
            store.terms(),
            events,
            cx.observer().clone(),
        ));
        store.add(saga.hosted.clone());
        Ok(saga)
    }

    async fn start(&self) -> Result<()> {
        self.hosted.0.begin();
        Ok(())
    }

    async fn stop(&self) -> Result<()> {
        self.hosted.0.stop().await;
        Ok(())
    }
}

impl<P> Deref for Saga<P> {
    type Target = HostedSaga;

    fn deref(&self) -> &HostedSaga {
        &self.hosted
    }
}

impl<P> Clone for Saga<P> {
    fn clone(&self) -> Self {
        Self { hosted: self.hosted.clone(), saga: PhantomData }
    }
}

impl<P> fmt::Debug for Saga<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Saga").field(&self.hosted).finish()
    }
}
