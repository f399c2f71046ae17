//! The keys of one moment, and which of them a token may be signed with.

use super::{Algorithm, Invalid, Key, token::Parts};

/// A token without a `kid` is tried with so many keys at most.
const MAX_TRIES: usize = 8;

/// Keys, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one that signs: the one of this name, or the first that can.
    pub(super) fn signing(&self, kid: Option<&str>) -> Option<&Key> {
        self.0.iter().filter(|key| kid.is_none() || key.kid() == kid).find(|key| key.signs())
    }

    /// Their public halves.
    pub(super) fn public(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Whether one of them has signed a token.
    ///
    /// The algorithm is the key's: a token's `alg` only says for which keys it is not worth trying. Its `kid` chooses among the keys that
    /// have a name; those without one may have signed any.
    pub(super) fn verify(&self, token: &Parts<'_>) -> Result<(), Invalid> {
        let by_name = |key: &&Key| match (&token.kid, key.kid()) {
            (Some(wanted), Some(name)) => wanted == name,
            (Some(_) | None, None) | (None, Some(_)) => true,
        };
        let mut other: Option<Option<Algorithm>> = None;
        let mut tries = 0;
        for key in self.0.iter().filter(by_name) {
            if key.algorithm().name() != token.algorithm {
                // Told only of the one key that the token names.
                other.get_or_insert(token.kid.as_ref().map(|_| key.algorithm()));
                continue;
            }
            if tries == MAX_TRIES {
                break;
            }
            tries += 1;
            if key.verifies(token.signed, &token.signature) {
                return Ok(());
            }
        }
        Err(match (tries, other) {
            (0, Some(key)) => Invalid::Algorithm { key },
            (0, None) if token.kid.is_some() => Invalid::UnknownKey,
            (0, None) => Invalid::Algorithm { key: None },
            _ => Invalid::Signature,
        })
    }
}
