//! The names of services that this process knows: those it runs, those it has clients of, and those that others tell of.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use kinoko_text::nearest;

use crate::protocol::Name;

/// Who knows services beyond this process; discovery implements it.
pub(crate) trait Directory: fmt::Debug + Send + Sync {
    /// The names that are known now. Asked where a call has failed already: it must not wait.
    fn services(&self) -> Vec<Name>;
}

/// Names for "did you mean", kept by the clients of one program.
#[derive(Debug, Default)]
pub(crate) struct Known {
    own: Mutex<BTreeSet<Name>>,
    fleet: OnceLock<Arc<dyn Directory>>,
}

impl Known {
    pub(crate) fn add(&self, service: impl Into<Name>) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(service.into());
    }

    /// Looks there as well from now on.
    pub(crate) fn follow(&self, fleet: Arc<dyn Directory>) {
        // There is one for each program.
        let _ = self.fleet.set(fleet);
    }

    /// The known name that is close to one that nobody has.
    pub(super) fn suggest(&self, service: &str) -> Option<String> {
        let mut names = self.own.lock().unwrap_or_else(PoisonError::into_inner).clone();
        names.extend(self.fleet.get().into_iter().flat_map(|fleet| fleet.services()));
        nearest(service, names.iter().map(Name::as_str).filter(|name| *name != service)).map(str::to_owned)
    }
}
