//! Who calls, where a service looks at tokens.

use std::{
    any::Any,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::protocol::Value;

/// The context data that is the caller's token.
pub(crate) const AUTH_TOKEN: &str = "auth_token";
/// The context data that says who calls.
pub(crate) const USER_ID: &str = "user_id";

/// Whom a token speaks for.
pub(crate) trait Principal: Any + Send + Sync {
    /// Its name, as context data.
    fn user_id(&self) -> Option<&Value>;
}

/// Who calls, as far as anybody has looked.
#[derive(Default)]
pub(super) struct Caller {
    /// The service looks at tokens, and believes nothing else.
    asks: AtomicBool,
    /// Looked at: somebody, or nobody who is to be believed.
    known: OnceLock<Option<Arc<dyn Principal>>>,
}

impl Caller {
    pub(super) fn ask(&self) {
        self.asks.store(true, Ordering::Relaxed);
    }

    pub(super) fn set(&self, principal: Option<Arc<dyn Principal>>) {
        // The first look counts.
        let _ = self.known.set(principal);
    }

    pub(super) fn known(&self) -> Option<Option<Arc<dyn Principal>>> {
        self.known.get().cloned()
    }

    /// Whom a verified token names.
    pub(super) fn user_id(&self) -> Option<&Value> {
        self.known.get()?.as_ref()?.user_id()
    }

    /// Whether context data is taken as the caller sent it: not who it says it is, and no token that was looked at and refused. One that
    /// nobody has looked at passes on, to whoever looks.
    pub(super) fn believes(&self, key: &str) -> bool {
        match key {
            USER_ID => !self.asks.load(Ordering::Relaxed),
            AUTH_TOKEN => !matches!(self.known.get(), Some(None)),
            _ => true,
        }
    }
}
