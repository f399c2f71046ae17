//! The instances of one service as they are known: written by a discovery, read by all that pick.

use std::{
    fmt,
    sync::{Arc, Weak, atomic::AtomicUsize},
    time::Duration,
};

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Discovery, Instance, Target, pick::Slot};
use crate::{Error, ErrorKind, Result, task::Tasks};

/// One service that is followed, for as long as somebody holds it.
pub(super) struct Followed {
    pub(super) target: Target,
    pub(super) next: AtomicUsize,
    listing: watch::Sender<Listing>,
    /// How long the first answer is waited for.
    wait: Duration,
    /// Ends the task that follows.
    _held: DropGuard,
}

#[derive(Default)]
struct Listing {
    /// `None`: nothing was heard yet.
    entries: Option<Arc<[Entry]>>,
    /// Why it may be out of date.
    stale: Option<String>,
}

pub(super) struct Entry {
    pub(super) instance: Arc<Instance>,
    pub(super) slot: Arc<Slot>,
}

impl Followed {
    /// Begins to follow, in a task on the current runtime.
    pub(super) fn begin(source: Arc<dyn Discovery>, target: Target, wait: Duration) -> Arc<Self> {
        let gone = CancellationToken::new();
        let followed = Arc::new(Self {
            target: target.clone(),
            next: AtomicUsize::new(0),
            listing: watch::Sender::default(),
            wait,
            _held: gone.clone().drop_guard(),
        });
        let found = Found(Arc::downgrade(&followed));
        Tasks::new().spawn_detached(async move {
            tokio::select! {
                () = source.follow(&target, found) => {}
                () = gone.cancelled() => {}
            }
        });
        followed
    }

    /// What is known, when there is something to know.
    pub(super) async fn entries(&self) -> Result<Arc<[Entry]>> {
        if let Some(entries) = self.listed() {
            return Ok(entries);
        }
        let mut listing = self.listing.subscribe();
        // The sender is this one's own, so that the wait ends by an answer or by time.
        let _ = timeout(self.wait, listing.wait_for(|listing| listing.entries.is_some())).await;
        self.listed().ok_or_else(|| {
            let why = self.stale().map_or_else(String::new, |why| format!(": {why}"));
            let text = format!("the instances of {} are not known after {:?}{why}", self.target, self.wait);
            Error::new(ErrorKind::Unavailable, text)
        })
    }

    pub(super) fn listed(&self) -> Option<Arc<[Entry]>> {
        self.listing.borrow().entries.clone()
    }

    pub(super) fn stale(&self) -> Option<String> {
        self.listing.borrow().stale.clone()
    }

    /// Waits until the instances are as told.
    pub(super) async fn wait_for(&self, mut is_so: impl FnMut(&[Arc<Instance>]) -> bool) {
        let mut listing = self.listing.subscribe();
        let fits = |listing: &Listing| {
            let entries = listing.entries.as_deref().unwrap_or_default();
            let instances: Vec<_> = entries.iter().map(|entry| entry.instance.clone()).collect();
            is_so(&instances)
        };
        let _ = listing.wait_for(fits).await;
    }
}

/// Where a [`Discovery`] tells what it has found.
#[derive(Clone)]
pub struct Found(Weak<Followed>);

impl Found {
    /// These are the healthy instances now, the nearest first where that is known.
    pub fn set(&self, instances: impl IntoIterator<Item = Instance>) {
        let Some(followed) = self.0.upgrade() else { return };
        let instances: Vec<_> = instances.into_iter().collect();
        followed.listing.send_if_modified(|listing| {
            let before = listing.entries.take();
            let known = before.as_deref().unwrap_or_default();
            let is_same = before.is_some()
                && known.len() == instances.len()
                && known.iter().zip(&instances).all(|(entry, instance)| *entry.instance == *instance);
            let was_stale = listing.stale.take().is_some();
            if was_stale {
                tracing::info!(
                    service = followed.target.service,
                    "discovery: the instances of a service are known again"
                );
            }
            if is_same {
                listing.entries = before;
                return was_stale;
            }
            let keep = |instance: Instance| {
                // Who is still there has the same calls under way as before.
                let same = known.iter().find(|entry| entry.instance.id == instance.id);
                let slot =
                    same.filter(|entry| entry.instance.address == instance.address).map(|entry| entry.slot.clone());
                Entry { instance: Arc::new(instance), slot: slot.unwrap_or_default() }
            };
            tracing::debug!(
                service = followed.target.service,
                instances = instances.len(),
                "discovery: instances changed"
            );
            listing.entries = Some(instances.iter().cloned().map(keep).collect());
            true
        });
    }

    /// What is known may be out of date, for this reason: whoever knows better cannot be asked. The last instances are kept.
    ///
    /// Logged once, until [`set`](Self::set) is called again.
    pub fn stale(&self, reason: impl Into<String>) {
        let Some(followed) = self.0.upgrade() else { return };
        let reason = reason.into();
        followed.listing.send_modify(|listing| {
            if listing.stale.is_none() {
                let (service, kept) = (&followed.target.service, listing.entries.as_deref().map(<[_]>::len));
                tracing::warn!(service, kept, reason, "discovery: the instances of a service may be out of date");
            }
            listing.stale = Some(reason);
        });
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Found")
    }
}
