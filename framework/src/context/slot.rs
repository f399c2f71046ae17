use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

/// The worker slots of a container. Lower tiers wait with this; the container implements it.
pub(crate) trait Slots: Send + Sync {
    /// A worker begins to wait for something that another worker has to do: its slot is free.
    fn park(&self);

    /// The wait is over. The worker has no slot yet.
    fn unpark(&self);

    /// Takes a slot, which [`release`](Self::release) gives back.
    fn acquire(&self) -> BoxFuture<'static, ()>;

    /// Gives one slot back.
    fn release(&self);
}

/// One worker's hold on a slot. While the worker waits for a nested call it is parked: somebody else may run, so that
/// services which call each other in a circle cannot fill all slots with waiting workers.
pub(crate) struct Slot {
    slots: Arc<dyn Slots>,
    state: Mutex<Hold>,
}

#[derive(Default)]
struct Hold {
    held: bool,
    parked: bool,
    /// A task that the worker spawned can outlive it; it takes no slot any more.
    over: bool,
    /// Nested calls that are waited for at once.
    waits: usize,
}

impl Slot {
    pub(super) fn new(slots: Arc<dyn Slots>) -> Self {
        Self { slots, state: Mutex::default() }
    }

    fn hold(&self) -> MutexGuard<'_, Hold> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot was taken for this worker.
    pub(crate) fn taken(&self) {
        let mut hold = self.hold();
        if hold.over {
            drop(hold);
            self.slots.release();
        } else if hold.waits > 0 {
            // Another of its nested calls began while this slot was waited for.
            hold.parked = true;
            drop(hold);
            self.slots.park();
        } else {
            hold.held = true;
        }
    }

    /// The worker is over. Doing it twice changes nothing.
    pub(crate) fn release(&self) {
        let mut hold = self.hold();
        hold.over = true;
        if std::mem::take(&mut hold.held) {
            drop(hold);
            self.slots.release();
        }
    }

    /// Gives the slot back for as long as the worker waits for something that another worker has to do.
    pub(crate) fn park(&self) -> Parked<'_> {
        Parked::begin(self)
    }
}

/// A wait of a worker whose slot is free meanwhile. Counted down again also when it is dropped in the middle.
pub(crate) struct Parked<'a>(Option<&'a Slot>);

impl<'a> Parked<'a> {
    fn begin(slot: &'a Slot) -> Self {
        let mut hold = slot.hold();
        hold.waits += 1;
        if std::mem::take(&mut hold.held) {
            hold.parked = true;
            drop(hold);
            slot.slots.park();
        }
        Self(Some(slot))
    }

    /// The wait is over: takes a slot again, where the worker had one.
    ///
    /// Not a combinator around the wait: its future would be kept twice, as the argument and as what is awaited.
    pub(crate) async fn resume(mut self) {
        let Some(slot) = self.0 else { return };
        if self.count_down() {
            slot.slots.acquire().await;
            slot.taken();
        }
    }

    fn count_down(&mut self) -> bool {
        let Some(slot) = self.0.take() else { return false };
        let mut hold = slot.hold();
        hold.waits -= 1;
        if hold.waits > 0 || !std::mem::take(&mut hold.parked) {
            return false;
        }
        let over = hold.over;
        drop(hold);
        slot.slots.unpark();
        !over
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.count_down();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::Semaphore;

    use super::*;

    /// One slot, and how many are parked.
    struct One(Arc<Semaphore>, AtomicUsize);

    impl Slots for One {
        fn park(&self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.add_permits(1);
        }
        fn unpark(&self) {
            self.1.fetch_sub(1, Ordering::SeqCst);
        }
        fn acquire(&self) -> BoxFuture<'static, ()> {
            let slots = self.0.clone();
            Box::pin(async move { slots.acquire().await.unwrap().forget() })
        }
        fn release(&self) {
            self.0.add_permits(1);
        }
    }

    #[test]
    fn a_slot_that_comes_while_another_nested_call_waits_is_given_back() {
        let one = Arc::new(One(Arc::new(Semaphore::new(0)), AtomicUsize::new(0)));
        let slot = Slot::new(one.clone());
        slot.taken();
        let first = slot.park();
        // Somebody else runs meanwhile, so that the slot has to be waited for.
        one.0.try_acquire().unwrap().forget();
        let mut resumed = Box::pin(first.resume());
        assert!(resumed.as_mut().now_or_never().is_none());
        let second = slot.park();
        one.release();
        assert!(resumed.now_or_never().is_some());
        assert_eq!(
            (one.0.available_permits(), one.1.load(Ordering::SeqCst)),
            (1, 1),
            "the second call waits without it"
        );
        assert!(second.resume().now_or_never().is_some());
        assert_eq!((one.0.available_permits(), one.1.load(Ordering::SeqCst)), (0, 0), "and the worker goes on with it");
        slot.release();
        assert_eq!(one.0.available_permits(), 1);
    }
}
