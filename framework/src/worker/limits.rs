//! How many workers run at once.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    context::Slots,
    observe::{Observer, Watch},
    protocol::Fault,
    transport::Consumer,
};

/// The worker slots of one container.
///
/// A worker that waits for a nested call gives its slot back meanwhile, so that services which call each other in a circle cannot
/// come to a standstill. The requests that such waiting workers hold count against the consumers' prefetch, so that grows with them:
/// else the broker would not deliver the very request that everybody waits for.
pub(crate) struct Limits {
    slots: Arc<Semaphore>,
    parked: AtomicUsize,
    /// For how many parked workers the consumers already have room.
    grown: Mutex<usize>,
    /// Weak: a consumer holds its sink, which holds the service, which holds these.
    consumers: Mutex<Vec<Weak<dyn Consumer>>>,
    stopping: CancellationToken,
    /// The same, for the path of every call.
    stopped: AtomicBool,
    most: usize,
    shed_late: bool,
    observer: Arc<Observer>,
}

/// Each growth makes room for this many parked workers at least.
const GROWTH: usize = 16;
/// No consumer grows beyond this: what is deeper waits for its deadline.
const MAX_GROWN: usize = 16 * 1024;

impl Limits {
    pub(crate) fn new(max_workers: usize, shed_late: bool, observer: Arc<Observer>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(max_workers)),
            parked: AtomicUsize::new(0),
            grown: Mutex::new(0),
            consumers: Mutex::default(),
            stopping: CancellationToken::new(),
            stopped: AtomicBool::new(false),
            most: max_workers,
            shed_late,
            observer,
        }
    }

    pub(crate) fn add_consumer(&self, consumer: &Arc<dyn Consumer>) {
        // Those that came first may have had workers that waited already.
        let grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        if *grown > 0 {
            consumer.grow(u16::try_from(*grown).unwrap_or(u16::MAX));
        }
        self.consumers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(consumer));
    }

    /// What counts its workers.
    pub(crate) fn observer(&self) -> &Arc<Observer> {
        &self.observer
    }

    /// Why a worker is not to begin any more, with so much left of its caller's time, after this wait. Its caller may ask again.
    pub(crate) fn too_late(&self, watch: &Watch, left: Duration, waited: Duration) -> Option<Box<Fault>> {
        if !self.shed_late || !watch.is_too_late(left, waited) {
            return None;
        }
        let text = format!("it waited {waited:.0?} for a worker, and {left:.0?} are left, less than it usually takes");
        Some(Box::new(Fault::busy(text)))
    }

    /// How many workers run and wait for nobody, of how many that may.
    pub(crate) fn busy(&self) -> (usize, usize) {
        (self.most.saturating_sub(self.slots.available_permits()), self.most)
    }

    /// What is not running yet is not started any more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.stopping.cancel();
    }

    /// Ends when nothing is started any more: for what outlives these.
    #[cfg(feature = "http")]
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.stopping.clone().cancelled_owned()
    }

    /// Ends when nothing is started any more.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + '_ {
        self.stopping.cancelled()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// A worker waits for a nested call.
    fn park(&self) {
        let parked = self.parked.fetch_add(1, Ordering::AcqRel) + 1;
        self.grow(parked);
    }

    /// Makes the consumers' room follow the number of parked workers.
    fn grow(&self, parked: usize) {
        let mut grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        if parked <= *grown || *grown >= MAX_GROWN {
            return;
        }
        // Doubling: a deep chain costs few round trips.
        let extra = (*grown).max(GROWTH).max(parked - *grown).min(MAX_GROWN - *grown);
        *grown += extra;
        let extra = u16::try_from(extra).unwrap_or(u16::MAX);
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        for consumer in consumers.iter().filter_map(Weak::upgrade) {
            consumer.grow(extra);
        }
    }
}

/// The slots that a worker of one method takes: one of the container's and, where the method has a limit of its own, one of those.
pub(crate) struct MethodSlots {
    container: Arc<Limits>,
    own: Option<Arc<Semaphore>>,
}

impl MethodSlots {
    pub(crate) fn new(container: Arc<Limits>, max_workers: Option<usize>) -> Self {
        Self { container, own: max_workers.map(|workers| Arc::new(Semaphore::new(workers))) }
    }

    /// Takes what a worker needs, if it is free.
    pub(crate) fn take_free(&self) -> bool {
        if self.container.is_stopping() {
            return false;
        }
        let Ok(own) = self.own.as_deref().map(Semaphore::try_acquire).transpose() else { return false };
        let Ok(slot) = self.container.slots.try_acquire() else { return false };
        for permit in own.into_iter().chain([slot]) {
            permit.forget();
        }
        true
    }

    /// Takes what a worker needs; `None` when the container stops first.
    pub(crate) async fn take(&self) -> Option<()> {
        tokio::select! {
            biased;
            () = self.container.stopping.cancelled() => None,
            () = self.acquire() => Some(()),
        }
    }
}

impl Slots for MethodSlots {
    fn park(&self) {
        self.release();
        self.container.park();
    }

    fn unpark(&self) {
        self.container.parked.fetch_sub(1, Ordering::AcqRel);
    }

    fn acquire(&self) -> BoxFuture<'static, ()> {
        let (own, slots) = (self.own.clone(), self.container.slots.clone());
        async move {
            // Permits give themselves back when this is dropped between the two.
            let own = match own {
                Some(own) => own.acquire_owned().await.ok(),
                None => None,
            };
            let slot = slots.acquire_owned().await.ok();
            for permit in [own, slot].into_iter().flatten() {
                permit.forget();
            }
        }
        .boxed()
    }

    fn release(&self) {
        if let Some(own) = &self.own {
            own.add_permits(1);
        }
        self.container.slots.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{observe::ObserverSettings, transport::ConsumerStatus};

    #[derive(Debug, Default)]
    struct Room(AtomicUsize);

    #[async_trait::async_trait]
    impl Consumer for Room {
        fn grow(&self, extra: u16) {
            self.0.fetch_add(extra.into(), Ordering::Relaxed);
        }
        fn status(&self) -> ConsumerStatus {
            ConsumerStatus::default()
        }
        async fn cancel(&self) {}
        async fn give_back(&self) {}
    }

    #[test]
    fn a_consumer_that_comes_late_has_room_for_those_who_wait_already() {
        let limits = Limits::new(1, true, Observer::new(&ObserverSettings::default(), ""));
        let (early, late) = (Arc::new(Room::default()), Arc::new(Room::default()));
        limits.add_consumer(&(early.clone() as Arc<dyn Consumer>));
        limits.park();
        limits.add_consumer(&(late.clone() as Arc<dyn Consumer>));
        let room = [early, late].map(|room| room.0.load(Ordering::Relaxed));
        assert_eq!(room, [GROWTH, GROWTH]);
    }
}
