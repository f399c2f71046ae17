//! A service whose struct does not derive `Dependencies` is told so once, and everything else about it still type-checks.

use std::{marker::PhantomData, sync::Arc};

use futures_util::future::BoxFuture;

use super::expansion::NoHooks;
use crate::{
    Result,
    config::SettingInfo,
    dependency::{Dependencies, SetupContext},
};

/// How a service's fields are built: its [`Dependencies`] as values.
#[derive(Debug, Clone, Copy)]
pub struct Provider<S> {
    pub(crate) settings: fn() -> Result<Vec<SettingInfo>>,
    pub(crate) set_up: fn(&SetupContext) -> BoxFuture<'_, Result<S>>,
    pub(crate) prepare: Option<Prepare<S>>,
}

/// What is done with a service after its fields are built, and before anything starts.
pub type Prepare<S> = for<'a> fn(&'a S, &'a SetupContext) -> BoxFuture<'a, Result<()>>;

impl<S> Provider<S> {
    /// With something to do when the fields are built.
    #[must_use]
    pub const fn prepared(self, prepare: Prepare<S>) -> Self {
        Self { settings: self.settings, set_up: self.set_up, prepare: Some(prepare) }
    }

    /// Builds the service.
    pub(crate) async fn provide(&self, cx: &SetupContext) -> Result<S> {
        let service = (self.set_up)(cx).await?;
        if let Some(prepare) = self.prepare {
            prepare(&service, cx).await?;
        }
        Ok(service)
    }
}

fn set_up<S: Dependencies>(cx: &SetupContext) -> BoxFuture<'_, Result<S>> {
    Box::pin(S::setup(cx))
}

/// Asks, at a concrete type, whether it has [`Dependencies`]: an inherent function hides the trait's.
///
/// With the bound on each thing that needs it the compiler would tell it three times.
#[derive(Debug)]
pub struct Provided<S>(PhantomData<S>);

impl<S: Dependencies> Provided<S> {
    /// Whose hooks run around a worker.
    pub fn hooks(service: &S) -> &S {
        service
    }

    /// The same, shared.
    pub fn shared(service: Arc<S>) -> Arc<S> {
        service
    }

    /// What its fields are built with.
    pub const PROVIDER: Provider<S> = Provider { settings: S::settings, set_up: set_up::<S>, prepare: None };
}

/// The other half of [`Provided`]. Never run: such a program does not build.
pub trait NotProvided<S> {
    /// None.
    fn hooks(_: &S) -> &'static NoHooks {
        &NoHooks
    }

    /// None.
    fn shared(_: Arc<S>) -> Arc<NoHooks> {
        Arc::new(NoHooks)
    }

    /// Nothing.
    const PROVIDER: Provider<S> =
        Provider { settings: || Ok(Vec::new()), set_up: |_| unreachable!("it does not compile"), prepare: None };
}

impl<S> NotProvided<S> for Provided<S> {}

/// The one place that asks for the derive.
pub const fn assert_provided<S: Dependencies>() {}
