//! The keys of a program, as they change.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};

use super::{Key, KeySource, keys::Keys};
use crate::{Error, ErrorKind, Result, protocol::Fault};

/// A token with a name that no key has asks for the keys again, but not more often than this: everybody can make one up.
const MIN_PAUSE: Duration = Duration::from_secs(10);
/// How long a source may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Keys that are fixed, and keys from a source.
pub(super) struct Keyring {
    fixed: Vec<Key>,
    source: OnceLock<Box<dyn KeySource>>,
    current: RwLock<Arc<Keys>>,
    generation: AtomicU64,
    /// When the source was asked last; held while it is.
    asked: tokio::sync::Mutex<Option<Instant>>,
    /// Why there are no keys of the source yet.
    lacks: Mutex<Option<String>>,
    refreshing: Mutex<Option<AbortHandle>>,
}

impl Keyring {
    pub(super) fn new(fixed: Vec<Key>) -> Self {
        Self {
            current: RwLock::new(Arc::new(Keys::new(fixed.clone()))),
            fixed,
            source: OnceLock::new(),
            generation: AtomicU64::new(1),
            asked: tokio::sync::Mutex::default(),
            lacks: Mutex::default(),
            refreshing: Mutex::default(),
        }
    }

    /// Takes keys from a source as well. The first counts: `false` for a second.
    pub(super) fn set_source(&self, source: Box<dyn KeySource>) -> bool {
        self.source.set(source).is_ok()
    }

    /// The keys of now, and which of all their changes that is.
    pub(super) fn current(&self) -> (Arc<Keys>, u64) {
        // In this order: keys that are newer than their number are verified with once more.
        let generation = self.generation();
        (self.current.read().unwrap_or_else(PoisonError::into_inner).clone(), generation)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn has_source(&self) -> bool {
        self.source.get().is_some()
    }

    /// Why nothing can be verified, if so.
    pub(super) fn lacks(&self) -> Option<String> {
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the source because a token names a key that nobody knows. Says whether it is worth another look.
    pub(super) async fn look_again(&self) -> bool {
        if !self.has_source() {
            return false;
        }
        let before = self.generation();
        let mut asked = self.asked.lock().await;
        if self.generation() != before {
            // Somebody else asked meanwhile.
            return true;
        }
        if asked.is_some_and(|at| at.elapsed() < MIN_PAUSE) {
            return false;
        }
        *asked = Some(Instant::now());
        self.load().await.is_ok()
    }

    /// Asks the source. What it gave before stays where it fails.
    pub(super) async fn refresh(&self) -> Result<()> {
        let mut asked = self.asked.lock().await;
        *asked = Some(Instant::now());
        self.load().await
    }

    async fn load(&self) -> Result<()> {
        let Some(source) = self.source.get() else { return Ok(()) };
        let loaded = match timeout(LIMIT, AssertUnwindSafe(source.keys()).catch_unwind()).await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(panic)) => Err(Error::msg(Fault::panic(&*panic).to_string())),
            Err(_) => Err(Error::new(
                ErrorKind::Unavailable,
                format!("the source of the keys did not answer within {LIMIT:?}"),
            )),
        };
        let mut lacks = self.lacks.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(keys) => {
                let all = self.fixed.iter().cloned().chain(keys).collect();
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Keys::new(all));
                self.generation.fetch_add(1, Ordering::AcqRel);
                *lacks = None;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(error = error.chain(), "keys for tokens could not be read: those of before stay");
                // With keys of any kind it works on.
                let none_yet = self.current.read().unwrap_or_else(PoisonError::into_inner).is_empty();
                if none_yet {
                    *lacks = Some(format!("there are no keys to verify tokens with: {}", error.chain()));
                }
                Err(error)
            }
        }
    }

    /// Asks the source from time to time, for as long as somebody holds the keys.
    pub(super) fn keep_fresh(self: &Arc<Self>, every: Duration) {
        if !self.has_source() {
            return;
        }
        let weak = Arc::downgrade(self);
        let task = crate::spawn(async move {
            loop {
                let pause = match weak.upgrade() {
                    // Without any it is worth asking more often.
                    Some(keyring) if keyring.lacks().is_some() => every.min(MIN_PAUSE),
                    Some(_) => every,
                    None => return,
                };
                sleep(pause).await;
                if let Some(keyring) = weak.upgrade() {
                    // Told there.
                    keyring.refresh().await.ok();
                }
            }
        });
        *self.refreshing.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    }

    pub(super) fn stop(&self) {
        if let Some(task) = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
