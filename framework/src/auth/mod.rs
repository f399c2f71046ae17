//! Who calls, and who may: tokens, rules, passwords.
//!
//! `token` takes a token apart, `key` and `keys` know which one it has to be signed with, `checks` look at what it says; what passes is
//! an [`Identity`]. [`Jwt`] is the dependency that has all of it, `guard` what `#[guard]` and `#[public]` become. Where a request carries a
//! token is not known here: `http/` does.

mod algorithm;
mod cache;
mod checks;
mod claims;
mod denied;
mod development;
#[doc(hidden)]
pub mod expansion;
mod guard;
mod identity;
mod invalid;
mod issue;
mod json;
mod jwk;
mod jwt;
mod key;
mod keyring;
mod keys;
mod password;
mod pem;
mod refresh;
mod revocation;
mod settings;
mod source;
mod token;

pub use self::{
    algorithm::Algorithm,
    claims::Claims,
    identity::Identity,
    invalid::{Invalid, Unverified},
    issue::{Issue, TokenPair},
    jwt::{Jwt, JwtOptions},
    key::Key,
    password::Password,
    refresh::Refresh,
    revocation::Revocation,
    source::KeySource,
};
pub(crate) use self::{guard::tell_closed, source::Fetch};
