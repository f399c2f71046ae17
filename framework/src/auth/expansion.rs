//! What code that `#[service]` generates calls.

use std::marker::PhantomData;

pub use super::guard::{LooksAtTokens, admit, closed, open};
use super::{Claims, Identity, Jwt};
use crate::dependency::{Context, Has, UserId};

/// Asks, at a concrete type, whether a service has a [`Jwt`]: inherent items hide the trait's.
#[derive(Debug)]
pub struct JwtProbe<S>(PhantomData<S>);

impl<S: Has<Jwt>> JwtProbe<S> {
    /// It has.
    pub const YES: bool = true;

    /// It.
    pub fn jwt(service: &S) -> Option<&Jwt> {
        Some(service.get())
    }
}

/// The other half of [`JwtProbe`].
pub trait NoJwt<S> {
    /// It has not.
    const YES: bool = false;

    /// None.
    fn jwt(_: &S) -> Option<&Jwt> {
        None
    }
}

impl<S> NoJwt<S> for JwtProbe<S> {}

/// Asks, at a concrete type, whether a parameter says who calls.
#[derive(Debug)]
pub struct IdentityProbe<T>(PhantomData<T>);

/// The other half of [`IdentityProbe`].
pub trait NoIdentity {
    /// It does not.
    const YES: bool = false;
}

impl<T> NoIdentity for IdentityProbe<T> {}

macro_rules! identities {
    ($([$($name:ident)?] $ty:ty),*) => {$(
        impl<$($name)?> IdentityProbe<$ty> {
            /// It does.
            pub const YES: bool = true;
        }
    )*};
}

identities! { [T] Claims<T>, [T] Option<Claims<T>>, [] Identity, [] Option<Identity>, [] UserId, [] Option<UserId>, [] Context<UserId> }
