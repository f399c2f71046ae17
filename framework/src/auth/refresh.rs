use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Identity, Invalid, Unverified};
use crate::protocol::Value;

/// What a refresh token says.
///
/// It is good for one use: its issuer keeps the [`id`](Self::id) of the newest of each [`family`](Self::family), and gives a new pair of the same
/// family for that one alone. If an older one comes again it was stolen, by whoever sends it now or by whoever used it before: then the
/// whole family ends. `examples/users` does it, in its database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refresh {
    /// Whose it is.
    pub subject: String,
    /// What it is called: the claim `jti`.
    pub id: String,
    /// What it shares with the tokens that it comes from: one log-in.
    pub family: String,
    /// Until when it is valid.
    pub expires_at: SystemTime,
}

impl Refresh {
    pub(super) fn new(subject: String, id: String, family: String, expires_at: u64) -> Self {
        let expires_at = UNIX_EPOCH.checked_add(Duration::from_secs(expires_at)).unwrap_or(UNIX_EPOCH);
        Self { subject, id, family, expires_at }
    }

    pub(super) fn read(identity: &Identity) -> Result<Self, Unverified> {
        let missing = |claim: &str| Invalid::Claim(claim.to_owned());
        let family = identity.claim("fam").and_then(Value::as_str).ok_or_else(|| missing("fam"))?;
        let id = identity.token_id().ok_or_else(|| missing("jti"))?;
        let expires_at = identity.expires_at_secs().ok_or_else(|| missing("exp"))?;
        if identity.subject().is_empty() {
            return Err(missing("sub").into());
        }
        Ok(Self::new(identity.subject().to_owned(), id.to_owned(), family.to_owned(), expires_at))
    }
}
