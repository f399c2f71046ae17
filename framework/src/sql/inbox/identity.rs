//! What is the same key.

use sha2::{Digest, Sha256};

use crate::{context::WorkerContext, protocol::context_data};

/// A key, and whose it is: the primary key of its row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) service: &'static str,
    pub(super) method: &'static str,
    /// Of a call its user's id, so that nobody gets what was kept for somebody else; empty where nobody said, and for messages.
    pub(super) caller: String,
    pub(super) key: String,
}

/// The longest that is kept as it is: AMQP's limit for a message id.
const LONGEST: usize = 255;

impl Identity {
    /// Of a call that has a key.
    pub(super) fn of_call(cx: &WorkerContext) -> Option<Self> {
        let key = cx.idempotency_key()?;
        let caller = cx.get("user_id").and_then(context_data::text).unwrap_or_default();
        Some(Self::new(cx, caller, key))
    }

    /// Of a message that has an id.
    pub(super) fn of_message(cx: &WorkerContext) -> Option<Self> {
        let id = cx.message().properties.message_id.as_deref().filter(|id| !id.is_empty())?;
        Some(Self::new(cx, String::new(), id.to_owned()))
    }

    fn new(cx: &WorkerContext, caller: String, key: String) -> Self {
        Self { service: cx.service(), method: cx.entrypoint(), caller: storable(caller), key: storable(key) }
    }
}

/// PostgreSQL takes no NUL in a text, and no index takes one of any length.
fn storable(text: String) -> String {
    if text.len() <= LONGEST && !text.contains('\0') {
        return text;
    }
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_column_takes_is_kept_by_its_hash() {
        assert_eq!(storable("order-17".to_owned()), "order-17");
        for text in ["a\0b".to_owned(), "a".repeat(256)] {
            let stored = storable(text.clone());
            assert_eq!((stored.len(), &stored[..7]), (71, "sha256:"));
            assert_ne!(stored, storable(text + "c"));
        }
    }
}
