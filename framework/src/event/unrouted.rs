//! The events that nobody listened to.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::protocol::Name;

/// How many events are told apart. More is no program's own list: the names come from elsewhere.
const MOST: usize = 1024;

/// An event that nobody listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnroutedEvent {
    /// The service whose event it is.
    pub source: Name,
    /// The event.
    pub name: Name,
    /// How often it was dispatched while no queue was bound for it, since the program began.
    pub count: u64,
}

/// Counts them, and tells of each the first time.
#[derive(Default)]
pub(super) struct Unrouted(Mutex<BTreeMap<(Name, Name), u64>>);

impl Unrouted {
    /// One more. `told`: whoever dispatched it gets an error.
    pub(super) fn add(&self, source: &Name, name: &Name, told: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (source.clone(), name.clone());
        if counts.len() >= MOST && !counts.contains_key(&key) {
            return;
        }
        let count = counts.entry(key).or_default();
        *count += 1;
        if *count == 1 && !told {
            tracing::warn!(
                source = &**source,
                event = &**name,
                "nobody listens to this event: what was dispatched is gone, and so is all that follows, without another line"
            );
        }
    }

    pub(super) fn list(&self) -> Vec<UnroutedEvent> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = |((source, name), count): (&(Name, Name), &u64)| UnroutedEvent {
            source: source.clone(),
            name: name.clone(),
            count: *count,
        };
        counts.iter().map(event).collect()
    }
}
