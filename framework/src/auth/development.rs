//! What a program signs with that was given no key, while it is being written.

use super::{Algorithm, Key};
use crate::{
    Result,
    dependency::{Dependency, Scope, SetupContext},
};

/// A secret that nobody knows, made at the start, the same for all services of the process. No secret in the code could be as good: it would
/// be in everybody's program, also in production.
#[derive(Clone)]
pub(super) struct DevelopmentKey(pub(super) Key);

impl Dependency for DevelopmentKey {
    type Options = ();
    const SCOPE: Scope = Scope::Process;

    async fn setup(_: &SetupContext, (): ()) -> Result<Self> {
        tracing::warn!("no keys for tokens are set (jwt.secret, jwt.keys, jwt.jwks): tokens of this run end with it");
        Ok(Self(Key::generate(Algorithm::HS256)?))
    }
}
