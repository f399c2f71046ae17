use std::{fmt, sync::Arc};

use super::Letter;

/// Which letters of a queue.
#[derive(Clone)]
#[non_exhaustive]
pub enum Selection {
    /// All of them.
    All,
    /// The ones of this message: one, unless it died twice.
    Id(String),
    /// The ones with this [`Letter::reason`].
    Reason(String),
    /// The ones that this says; see [`matching`](Self::matching).
    Where(Arc<dyn Fn(&Letter) -> bool + Send + Sync>),
}

impl Selection {
    /// The letters of one message.
    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(id.into())
    }

    /// The letters that died for one reason.
    pub fn reason(reason: impl Into<String>) -> Self {
        Self::Reason(reason.into())
    }

    /// The letters that a function says.
    pub fn matching(say: impl Fn(&Letter) -> bool + Send + Sync + 'static) -> Self {
        Self::Where(Arc::new(say))
    }

    pub(super) fn takes(&self, letter: &Letter) -> bool {
        match self {
            Self::All => true,
            Self::Id(id) => *id == *letter.id,
            Self::Reason(reason) => *reason == letter.reason,
            Self::Where(say) => say(letter),
        }
    }
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::Id(id) => f.debug_tuple("Id").field(id).finish(),
            Self::Reason(reason) => f.debug_tuple("Reason").field(reason).finish(),
            Self::Where(_) => f.write_str("Where(…)"),
        }
    }
}
