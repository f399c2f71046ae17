use std::{
    fmt,
    future::IntoFuture,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, future::BoxFuture, stream};
use tokio::time::{Instant, sleep_until};

use super::{
    DeadLetters, Letter, Selection,
    reading::{self, Reading},
};
use crate::{
    Result,
    event::DispatchError,
    protocol::{Message, Name, names},
    transport::Delivery,
};

/// How many letters are published at once.
const WINDOW: usize = 32;

/// How many letters that stay are held back until the end. Further ones go to the end of their queue, or they would be all that is seen.
const MOST_HELD: usize = 200;

const _: () = assert!(MOST_HELD + WINDOW < reading::AT_ONCE as usize, "or nothing would come any more");

/// A replay, not yet begun. Await it.
///
/// Each letter goes back to the queue that it came from, as if it had never failed: published and confirmed, then taken from the dead
/// letters. Only what is there at the start is looked at, so that letters which fail again are not replayed again.
///
/// A letter whose queue is gone stays, and so does one that the broker does not take. A connection that is lost ends the replay; a
/// letter that was on its way then may be replayed a second time by the next one, under its message id.
///
/// # Cancel safety
///
/// Dropped while it is awaited, it ends; what is not replayed stays.
#[must_use = "nothing is replayed until this is awaited"]
pub struct Replay {
    pub(super) dead: DeadLetters,
    pub(super) queue: Name,
    pub(super) which: Selection,
    pub(super) every: Duration,
}

/// What became of the letters of a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// How many were replayed, or discarded.
    pub taken: u64,
    /// How many were not selected, and stay.
    pub unselected: u64,
    /// How many could not be replayed, and stay: their queue is gone, or did not take them.
    pub stranded: u64,
    /// Why some stay although they were selected: the first reason that was met.
    pub trouble: Option<String>,
}

impl Replay {
    /// At most so many letters per second. Default: as fast as the broker takes them. What is not a positive number means the default.
    pub fn per_second(mut self, letters: f64) -> Self {
        self.every = Duration::try_from_secs_f64(1.0 / letters).unwrap_or_default();
        self
    }
}

impl IntoFuture for Replay {
    type Output = Result<Swept>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { dead, queue, which, every } = self;
            dead.sweep(&queue, &which, Sweep::Replay { every }).await
        })
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("queue", &self.queue).field("which", &self.which).finish_non_exhaustive()
    }
}

/// What is done with the letters that are selected.
#[derive(Clone, Copy)]
pub(super) enum Sweep {
    Replay { every: Duration },
    Discard,
}

/// What became of one letter.
enum Fate {
    Taken,
    Unselected(Delivery),
    Stranded(Delivery, DispatchError),
    /// It stays, and so do all others.
    Stop(Option<Delivery>, String),
}

impl DeadLetters {
    /// Goes through the letters of a queue once.
    pub(super) async fn sweep(&self, queue: &Name, which: &Selection, sweep: Sweep) -> Result<Swept> {
        let mut swept = Swept::default();
        // Outlives the reading: what goes back while letters are still read would come again.
        let mut held = Vec::new();
        let Some(mut reading) = Reading::open(self, queue).await? else {
            self.expect(queue)?;
            return Ok(swept);
        };
        let stop = AtomicBool::new(false);
        {
            let mut pace = Pace { next: Instant::now(), every: sweep.every() };
            let letters = stream::unfold((&mut reading, &mut pace), |(reading, pace)| async {
                if stop.load(Ordering::Relaxed) {
                    return None;
                }
                let next = match reading.next().await {
                    Ok(next) => Ok(next?),
                    Err(error) => Err(error.chain()),
                };
                let selected = next.map(|delivery| {
                    let letter = Letter::read(delivery.message(), queue);
                    let letter = which.takes(&letter).then_some(letter);
                    (delivery, letter)
                });
                if matches!(selected, Ok((_, Some(_)))) {
                    pace.wait().await;
                }
                Some((selected, (reading, pace)))
            });
            let mut fates = letters.map(|letter| self.settle(letter, sweep)).buffer_unordered(WINDOW).boxed();
            while let Some(fate) = fates.next().await {
                let stays = match fate {
                    Fate::Taken => {
                        swept.taken += 1;
                        continue;
                    }
                    Fate::Unselected(delivery) => {
                        swept.unselected += 1;
                        Some(delivery)
                    }
                    Fate::Stranded(delivery, why) => {
                        swept.stranded += 1;
                        swept.trouble.get_or_insert(why.to_string());
                        Some(delivery)
                    }
                    Fate::Stop(delivery, why) => {
                        stop.store(true, Ordering::Relaxed);
                        swept.trouble.get_or_insert(why);
                        delivery
                    }
                };
                let Some(delivery) = stays else { continue };
                if held.len() < MOST_HELD {
                    held.push(delivery);
                } else if let Err(why) = self.to_the_end(queue, delivery).await {
                    stop.store(true, Ordering::Relaxed);
                    swept.trouble.get_or_insert(why);
                }
            }
        }
        for delivery in held {
            reading.hold(delivery);
        }
        reading.close(self, queue, swept.taken).await;
        Ok(swept)
    }

    async fn settle(&self, letter: Result<(Delivery, Option<Letter>), String>, sweep: Sweep) -> Fate {
        let (delivery, letter) = match letter {
            Ok((delivery, Some(letter))) => (delivery, letter),
            Ok((delivery, None)) => return Fate::Unselected(delivery),
            Err(lost) => return Fate::Stop(None, lost),
        };
        if let Sweep::Replay { .. } = sweep
            && let Err(why) = self.publish(&letter.revived()).await
        {
            return match why {
                DispatchError::OutcomeUnknown(_)
                | DispatchError::Unavailable(_)
                | DispatchError::Refused(_)
                | DispatchError::Closed => Fate::Stop(Some(delivery), why.to_string()),
                _ => Fate::Stranded(delivery, why),
            };
        }
        match delivery.ack_and_wait().await {
            Ok(()) => Fate::Taken,
            Err(error) => Fate::Stop(None, error.chain()),
        }
    }

    /// Puts a letter behind all others of its queue.
    async fn to_the_end(&self, queue: &Name, delivery: Delivery) -> Result<(), String> {
        let message = Message {
            exchange: names::DEFAULT_EXCHANGE,
            routing_key: queue.clone(),
            ..Message::clone(delivery.message())
        };
        self.publish(&message).await.map_err(|why| why.to_string())?;
        delivery.ack_and_wait().await.map_err(|error| error.chain())
    }
}

impl Sweep {
    fn every(self) -> Duration {
        match self {
            Self::Replay { every } => every,
            Self::Discard => Duration::ZERO,
        }
    }
}

struct Pace {
    next: Instant,
    every: Duration,
}

impl Pace {
    async fn wait(&mut self) {
        if self.every.is_zero() {
            return;
        }
        sleep_until(self.next).await;
        self.next = self.next.max(Instant::now()) + self.every;
    }
}
