//! A policy around a `tower` service.

use std::{
    fmt,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

use super::{Classify, Policy, PolicyError};

/// Puts the policy around a `tower` service, with the feature `tower` (which `http` brings): its errors are [`Classify`], and a request is cloned
/// for each attempt.
///
/// # Examples
///
/// ```
/// use kinoko::resilience::{Class, Classify, Policy, PolicyError, Retry};
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// #[derive(Debug)]
/// struct Busy;
///
/// impl Classify for Busy {
///     fn classify(&self) -> Class {
///         Class::REPEATABLE
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// static ASKED: AtomicU32 = AtomicU32::new(0);
/// let bank = tower::service_fn(|cents: u32| async move {
///     if ASKED.fetch_add(1, Ordering::Relaxed) == 0 { Err(Busy) } else { Ok(cents) }
/// });
/// let policy = Policy::builder("bank").retry(Retry::times(2)).build()?;
/// let mut bank = ServiceBuilder::new().layer(policy).service(bank);
/// assert_eq!(bank.ready().await.unwrap().call(500).await.unwrap(), 500);
/// assert_eq!(ASKED.load(Ordering::Relaxed), 2);
/// # Ok(()) }
/// ```
impl<S> Layer<S> for Policy {
    type Service = PolicyService<S>;

    fn layer(&self, inner: S) -> PolicyService<S> {
        PolicyService { policy: self.clone(), inner }
    }
}

/// A `tower` service under a [`Policy`], which is its layer.
#[derive(Clone)]
pub struct PolicyService<S> {
    policy: Policy,
    inner: S,
}

impl<S, R> Service<R> for PolicyService<S>
where
    S: Service<R> + Clone + Send + 'static,
    S::Error: Classify + Send,
    S::Future: Send,
    S::Response: Send,
    R: Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = PolicyError<S::Error>;
    type Future = BoxFuture<'static, Result<S::Response, PolicyError<S::Error>>>;

    /// Always: how many may be under way is the policy's to say, and each attempt waits for its own.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (policy, inner) = (self.policy.clone(), self.inner.clone());
        Box::pin(async move { policy.run(move || inner.clone().oneshot(request.clone())).await })
    }
}

impl<S> fmt::Debug for PolicyService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyService").field("policy", &self.policy).finish_non_exhaustive()
    }
}
