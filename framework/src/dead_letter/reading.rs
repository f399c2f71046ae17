use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{sleep, timeout},
};

use super::DeadLetters;
use crate::{
    Error, ErrorKind, Result,
    protocol::Name,
    transport::{Consumer, Delivery, DeliverySink},
};

/// How long to wait for a letter that should be there. It may be in somebody else's hands.
const QUIET: Duration = Duration::from_secs(1);

/// How often to look whether the broker counts what was handed back.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How many letters are in our hands at once, as long as none is held: what was not looked at need not have been fetched.
pub(super) const AT_ONCE: u16 = 256;

/// One look at a queue: the letters that were in it at the start, each of them ours until it is settled.
pub(super) struct Reading {
    consumer: Arc<dyn Consumer>,
    letters: UnboundedReceiver<Delivery>,
    lost: Arc<AtomicBool>,
    /// How many were there at the start, and how many of them are still to come.
    there: u32,
    left: u32,
    /// What goes back at the end, so that it does not come twice.
    held: Vec<Delivery>,
    room: u16,
}

struct Sink {
    letters: UnboundedSender<Delivery>,
    lost: Arc<AtomicBool>,
}

impl DeliverySink for Sink {
    fn deliver(&self, delivery: Delivery) {
        // After its end the reading wants no more: dropped, the letter goes back.
        let _ = self.letters.send(delivery);
    }

    fn lost(&self) {
        self.lost.store(true, Ordering::Release);
    }
}

impl Reading {
    /// Begins.
    pub(super) async fn open(dead: &DeadLetters, queue: &Name) -> Result<Option<Self>> {
        let Some(there) = dead.count(queue).await? else { return Ok(None) };
        let (sender, letters) = unbounded_channel();
        let lost = Arc::new(AtomicBool::new(false));
        let sink = Arc::new(Sink { letters: sender, lost: lost.clone() });
        let consumer = dead.within(dead.transport.consume(queue.clone(), AT_ONCE, sink)).await?;
        Ok(Some(Self { consumer, letters, lost, there, left: there, held: Vec::new(), room: AT_ONCE }))
    }

    /// The next letter; `None` when each was seen that was there at the start, or the others are in somebody else's hands.
    ///
    /// # Errors
    ///
    /// When the connection or the queue is lost: everything that is not settled is in the queue again, and would come twice.
    pub(super) async fn next(&mut self) -> Result<Option<Delivery>> {
        self.check()?;
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let Ok(Some(delivery)) = timeout(QUIET, self.letters.recv()).await else {
            self.check()?;
            return Ok(None);
        };
        self.check()?;
        self.left = left;
        Ok(Some(delivery))
    }

    fn check(&self) -> Result<()> {
        if self.lost.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the broker stopped giving letters: the connection was lost, or their queue was deleted",
            ));
        }
        Ok(())
    }

    /// How many are held back.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Keeps a letter until the end.
    pub(super) fn hold(&mut self, delivery: Delivery) {
        self.held.push(delivery);
        if self.held.len() == usize::from(self.room) {
            // Twice as many each time: on a broker each step is a consumer more.
            self.consumer.grow(self.room);
            self.room = self.room.saturating_mul(2);
        }
    }

    /// Ends, and hands back all but so many that are taken. Returns when the broker counts them again, since who looks next goes by that.
    pub(super) async fn close(self, dead: &DeadLetters, queue: &Name, taken: u64) {
        self.consumer.cancel().await;
        let (there, lost) = (u64::from(self.there), self.lost.clone());
        drop(self);
        let counted = async {
            while !lost.load(Ordering::Acquire)
                && let Ok(Some(count)) = dead.count(queue).await
                && u64::from(count) + taken < there
            {
                sleep(LOOK_AGAIN).await;
            }
        };
        // Not for ever: somebody else may have them.
        let _ = timeout(QUIET, counted).await;
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // Before anything goes back, or it would come again. The first look at a cancel begins it.
        let _ = self.consumer.cancel().now_or_never();
        while let Ok(delivery) = self.letters.try_recv() {
            self.held.push(delivery);
        }
        // The last one first: a queue that puts them at its front has them in order then.
        while self.held.pop().is_some() {}
    }
}
