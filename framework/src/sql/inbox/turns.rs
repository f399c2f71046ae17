//! The workers of one process that are at the same key, in line: the next one is woken when the one before is over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

use super::identity::Identity;

#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Identity, Arc<Lock<()>>>>);

/// A place in a key's line. Dropped, the next one's turn comes.
pub(super) struct Turn {
    turns: Arc<Turns>,
    identity: Identity,
    /// `None` only while it is dropped.
    line: Option<Arc<Lock<()>>>,
    taken: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    fn lines(&self) -> MutexGuard<'_, HashMap<Identity, Arc<Lock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stands in line. It may be one's turn at once.
    pub(super) fn stand(self: &Arc<Self>, identity: Identity) -> Turn {
        let line = self.lines().entry(identity.clone()).or_default().clone();
        let taken = line.clone().try_lock_owned().ok();
        Turn { turns: self.clone(), identity, line: Some(line), taken }
    }
}

impl Turn {
    pub(super) fn has_come(&self) -> bool {
        self.taken.is_some()
    }

    /// Waits for one's turn.
    pub(super) async fn come(&mut self) {
        if let (None, Some(line)) = (&self.taken, &self.line) {
            self.taken = Some(line.clone().lock_owned().await);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lines = self.turns.lines();
        self.taken = None;
        self.line = None;
        // Whoever else stands there has a clone.
        if lines.get(&self.identity).is_some_and(|line| Arc::strong_count(line) == 1) {
            lines.remove(&self.identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn identity() -> Identity {
        Identity { service: "s", method: "m", caller: String::new(), key: "k".to_owned() }
    }

    #[test]
    fn they_come_in_order_and_leave_nothing_behind() {
        let turns = Arc::<Turns>::default();
        let first = turns.stand(identity());
        assert!(first.has_come());
        let (mut second, mut third) = (turns.stand(identity()), turns.stand(identity()));
        {
            let (mut second, mut third) = (Box::pin(second.come()), Box::pin(third.come()));
            assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
            drop(first);
            assert!(third.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_some());
        }
        // One that goes before its turn comes is not waited for.
        drop(third);
        drop(second);
        assert!(turns.lines().is_empty());
    }
}
