//! A service whose struct does not derive `Dependencies` is told so once, and everything else about it still type-checks.

use std::{marker::PhantomData, sync::Arc};

use futures_util::future::BoxFuture;

use super::expansion::NoHooks;
use crate::{
    Result,
    config::SettingInfo,
    dependency::{Dependencies, SetupContext},
};

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

    /// Builds the service.
    pub fn set_up(cx: &SetupContext) -> BoxFuture<'_, Result<S>> {
        Box::pin(S::setup(cx))
    }

    /// The settings that its fields read.
    ///
    /// # Errors
    ///
    /// As [`Dependencies::settings`].
    pub fn settings() -> Result<Vec<SettingInfo>> {
        S::settings()
    }
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

    /// None.
    ///
    /// # Errors
    ///
    /// Never.
    fn settings() -> Result<Vec<SettingInfo>> {
        Ok(Vec::new())
    }

    /// Nothing.
    ///
    /// # Panics
    ///
    /// Always.
    fn set_up(_: &SetupContext) -> BoxFuture<'_, Result<S>> {
        unreachable!("`assert_provided` does not compile")
    }
}

impl<S> NotProvided<S> for Provided<S> {}

/// The one place that asks for the derive.
pub const fn assert_provided<S: Dependencies>() {}
