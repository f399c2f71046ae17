//! What `#[policy(…)]` expands to. Types are asked in pieces, so that each mistake is told once, at its place.

use std::future::Future;

pub use super::process::{Declared, OwnPolicy};
use super::{Class, Classify, Policy, PolicyError, PolicySettings, Refused};

/// The options of a policy that a method has to itself.
pub fn settings() -> PolicySettings {
    PolicySettings::default()
}

/// What a method under a policy returns.
#[diagnostic::on_unimplemented(
    message = "a method under a policy can fail, and `{Self}` cannot",
    label = "not a `Result`",
    note = "return `Result<{Self}, E>`, where `E` can hold a `kinoko::resilience::Refused`"
)]
pub trait Fallible {
    /// The error.
    type Err;
}

impl<T, E> Fallible for Result<T, E> {
    type Err = E;
}

/// An error that can say that a policy refused.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say that a policy refused",
    label = "no `From<Refused>`",
    note = "add a variant to it: `#[error(transparent)] Refused(#[from] kinoko::resilience::Refused)`, with `#[fault(forward)]` where it is a \
            `ServiceError`",
    note = "or answer in its place: `#[policy(…, fallback = another_method)]`"
)]
pub trait HoldsRefused {
    /// The error that says so.
    fn hold(refused: Refused) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Refused>> HoldsRefused for E {
    fn hold(refused: Refused) -> Self {
        refused.into()
    }
}

/// How an error holds what a policy refused.
pub fn holder<E: HoldsRefused>() -> fn(Refused) -> E {
    E::hold
}

/// What an error means, as it says itself.
pub fn classifier<E: Classify>() -> fn(&E) -> Class {
    E::classify
}

/// What an error means, as `classify = …` says.
pub fn given<E>(classify: fn(&E) -> Class) -> fn(&E) -> Class {
    classify
}

/// What a method is given once more.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is given to the method once, and may be needed again",
    label = "not `Clone`",
    note = "a body that is repeated, or that has a fallback, needs its parameters once more: derive `Clone`, take it as `&{Self}`, or leave \
            `retry` and `fallback` out"
)]
pub trait Again {
    /// Another one.
    fn again(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> Again for T {
    fn again(&self) -> Self {
        self.clone()
    }
}

/// A parameter for one more attempt.
pub fn again<T: Again>(parameter: &T) -> T {
    parameter.again()
}

/// Makes a call under a policy, again where it may be repeated.
pub fn repeat<T, E, F: Future<Output = Result<T, E>>>(
    policy: &Policy,
    classify: fn(&E) -> Class,
    call: impl FnMut() -> F,
) -> impl Future<Output = Result<T, PolicyError<E>>> {
    policy.run_with(classify, call)
}

/// Makes a call under a policy, once.
pub fn once<T, E>(
    policy: &Policy,
    classify: fn(&E) -> Class,
    call: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, PolicyError<E>>> {
    policy.once(classify, call)
}

/// What the method returns where it has no fallback.
pub fn settle<T, E>(ended: Result<T, PolicyError<E>>, hold: fn(Refused) -> E) -> Result<T, E> {
    ended.map_err(|error| match error {
        PolicyError::Failed(error) => error,
        PolicyError::Refused(refused) => hold(refused),
    })
}

/// What the method returns where it needs no fallback: a value, or an error that is an answer.
///
/// # Errors
///
/// What the fallback is told.
pub fn answered<T, E>(
    ended: Result<T, PolicyError<E>>,
    classify: fn(&E) -> Class,
) -> Result<Result<T, E>, PolicyError<E>> {
    match ended {
        Ok(value) => Ok(Ok(value)),
        Err(PolicyError::Failed(error)) if classify(&error) == Class::ANSWER => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

/// What a fallback's call is.
#[diagnostic::on_unimplemented(
    message = "a fallback waits as its method does, and returns what that returns",
    label = "not an `async fn` that returns `Result<{T}, {E}>`",
    note = "write `async fn later(…, error: PolicyError<{E}>) -> Result<{T}, {E}>`, with the method's own parameters before the error"
)]
pub trait Fallback<T, E>: Future<Output = Result<T, E>> {}

#[diagnostic::do_not_recommend]
impl<T, E, F: Future<Output = Result<T, E>>> Fallback<T, E> for F {}

/// Waits for a fallback, and counts what it comes to.
pub async fn fall_back<T, E>(policy: &Policy, why: &'static str, fallback: impl Fallback<T, E>) -> Result<T, E> {
    let ended = fallback.await;
    policy.fell_back(ended.is_ok());
    tracing::debug!(policy = policy.name(), why, ok = ended.is_ok(), "a fallback was run");
    ended
}

/// Why a fallback is run, for the log.
pub fn why<E>(error: &PolicyError<E>) -> &'static str {
    match error {
        PolicyError::Failed(_) => "the call failed",
        PolicyError::Refused(refused) => refused.reason.name(),
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn fallbacks_are_counted_by_how_they_end() {
        let policy = Policy::builder("counted").build().unwrap();
        assert_eq!(fall_back::<_, ()>(&policy, "down", ready(Ok(1))).await, Ok(1));
        assert_eq!(fall_back::<(), _>(&policy, "down", ready(Err(2))).await, Err(2));
        assert_eq!(fall_back::<(), _>(&policy, "down", ready(Err(3))).await, Err(3));
        let (.., counted) = policy.look();
        assert_eq!((counted.fallbacks_ok, counted.fallbacks_failed), (1, 2));
    }
}
