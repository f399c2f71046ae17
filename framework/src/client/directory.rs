//! The service names that this process knows: those it runs, and those it has clients of.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use kinoko_text::nearest;

use crate::protocol::Name;

/// Names for "did you mean", kept by the clients of one program.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<BTreeSet<Name>>);

impl Known {
    pub(crate) fn add(&self, service: impl Into<Name>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(service.into());
    }
}

/// The known name that is close to one that nobody has.
pub(crate) fn suggest(known: &Known, service: &str) -> Option<String> {
    let names = known.0.lock().unwrap_or_else(PoisonError::into_inner);
    nearest(service, names.iter().map(Name::as_str).filter(|name| *name != service)).map(str::to_owned)
}
