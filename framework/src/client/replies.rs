//! The calls that wait for a reply, by correlation id.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use super::route::{Route, WirePath};
use crate::{
    protocol::{Message, Name},
    task::{Gone, Sweep, Tasks},
    transport::ReplySink,
};

/// A call that got no answer for this long asks once whether anybody is there to answer.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// How a wait for a reply ended.
pub(super) enum Verdict {
    Reply(Answered),
    /// A reply that is larger than the program's limit; it was thrown away.
    TooLarge {
        bytes: usize,
    },
    /// No queue took the request.
    Returned,
    /// The reply queue is gone.
    Lost,
    /// The deadline.
    TimedOut,
}

/// What a caller needs of a reply.
pub(super) struct Answered {
    pub(super) content_type: Option<Name>,
    pub(super) body: Bytes,
}

/// The table of waiting calls. A correlation id is the place in the table and 96 random bits, so that a reply finds its
/// call without hashing and nobody can guess another's.
pub(crate) struct Replies {
    table: Mutex<Table>,
    sweep: Arc<Sweep>,
    max_body_bytes: usize,
    /// Replies that nobody waited for.
    stray: AtomicU64,
    looks: tokio::sync::mpsc::UnboundedSender<Arc<Route>>,
}

#[derive(Default)]
struct Table {
    places: Vec<Option<Waiter>>,
    free: Vec<u32>,
}

struct Waiter {
    secret: u128,
    verdict: oneshot::Sender<Verdict>,
    deadline: Instant,
    sent: Instant,
    path: WirePath,
    route: Arc<Route>,
    /// When to look whether the service is there; `None` once it was done, or where the deadline is before.
    look: Option<Instant>,
}

/// A place in the table, given back when dropped.
pub(super) struct Waiting {
    replies: Arc<Replies>,
    place: u32,
    secret: u128,
    pub(super) correlation_id: Name,
    pub(super) verdict: oneshot::Receiver<Verdict>,
    /// A verdict that came while the request was still being written.
    pub(super) early: Option<Verdict>,
}

const PLACE_BITS: u32 = 32;
const SECRET_MASK: u128 = u128::MAX >> PLACE_BITS;

impl Replies {
    /// A table, its sweeper, and the routes that the sweeper wants looked at.
    pub(super) fn new(
        tasks: &Tasks,
        max_body_bytes: usize,
    ) -> (Arc<Self>, tokio::sync::mpsc::UnboundedReceiver<Arc<Route>>) {
        let (looks, wanted) = tokio::sync::mpsc::unbounded_channel();
        let sweep = Arc::new(Sweep::new());
        let replies = Arc::new(Self {
            table: Mutex::default(),
            sweep: sweep.clone(),
            max_body_bytes,
            stray: AtomicU64::new(0),
            looks,
        });
        let weak = Arc::downgrade(&replies);
        tasks.spawn_detached(async move {
            sweep.run(move |now| weak.upgrade().map(|replies| replies.expire(now)).ok_or(Gone)).await;
        });
        (replies, wanted)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a call before its request leaves.
    pub(super) fn wait(
        self: &Arc<Self>,
        now: Instant,
        deadline: Instant,
        route: &Arc<Route>,
        path: WirePath,
    ) -> Waiting {
        let (sender, verdict) = oneshot::channel();
        let secret = Uuid::new_v4().as_u128() & SECRET_MASK;
        let look_at = now + LOOK_AFTER;
        let look = (look_at < deadline).then_some(look_at);
        let waiter = Waiter { secret, verdict: sender, deadline, sent: now, path, route: route.clone(), look };
        let due = waiter.due();
        let place = {
            let mut table = self.table();
            match table.free.pop() {
                Some(place) => {
                    table.places[place as usize] = Some(waiter);
                    place
                }
                None => {
                    table.places.push(Some(waiter));
                    u32::try_from(table.places.len() - 1).expect("fewer than 4 billion calls wait at once")
                }
            }
        };
        self.sweep.note(due);
        let id = (u128::from(place) << (128 - PLACE_BITS)) | secret;
        let mut buffer = Uuid::encode_buffer();
        let correlation_id = Arc::<str>::from(&*Uuid::from_u128(id).hyphenated().encode_lower(&mut buffer));
        Waiting { replies: self.clone(), place, secret, correlation_id: correlation_id.into(), verdict, early: None }
    }

    /// Has a route looked at soon, unless it is about to be.
    pub(super) fn look(&self, route: Arc<Route>) {
        if route.want_look() {
            let _ = self.looks.send(route);
        }
    }

    /// The queue of the short path was gone at that time, and whoever left had ended its workers: what was sent to it before and has
    /// no answer went with it. To its caller that is as if the broker had returned it.
    pub(super) fn queue_gone(&self, route: &Arc<Route>, at: Instant) {
        let lost: Vec<_> = {
            let mut table = self.table();
            let Table { places, free } = &mut *table;
            let lost = (0..).zip(places.iter_mut()).filter_map(|(place, waiter)| {
                let is_lost = |waiter: &mut Waiter| {
                    waiter.path == WirePath::Short && waiter.sent < at && Arc::ptr_eq(&waiter.route, route)
                };
                waiter.take_if(is_lost).inspect(|_| free.push(place))
            });
            lost.collect()
        };
        for waiter in lost {
            let _ = waiter.verdict.send(Verdict::Returned);
        }
    }

    /// How many calls wait.
    pub(super) fn len(&self) -> usize {
        let table = self.table();
        table.places.len() - table.free.len()
    }

    fn take(&self, correlation_id: &str) -> Option<Waiter> {
        let id = Uuid::try_parse(correlation_id).ok()?.as_u128();
        let place = u32::try_from(id >> (128 - PLACE_BITS)).ok()?;
        self.take_place(place, id & SECRET_MASK)
    }

    fn take_place(&self, place: u32, secret: u128) -> Option<Waiter> {
        let mut table = self.table();
        let waiter = table.places.get_mut(place as usize)?.take_if(|waiter| waiter.secret == secret)?;
        table.free.push(place);
        Some(waiter)
    }

    /// Ends the calls whose time is up and asks for the looks that are due. Returns what is due next.
    fn expire(&self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut table = self.table();
        for place in 0..table.places.len() {
            let Some(waiter) = &mut table.places[place] else { continue };
            if waiter.deadline <= now {
                if let Some(waiter) = table.places[place].take() {
                    table.free.push(u32::try_from(place).expect("places are numbered in 32 bits"));
                    let _ = waiter.verdict.send(Verdict::TimedOut);
                }
                continue;
            }
            if waiter.look.take_if(|at| *at <= now).is_some() {
                self.look(waiter.route.clone());
            }
            let due = waiter.due();
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        // Its sweeper sees that it is gone, and ends.
        self.sweep.nudge();
    }
}

impl Waiter {
    fn due(&self) -> Instant {
        self.look.map_or(self.deadline, |look| self.deadline.min(look))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A verdict that arrived had taken the place with it.
        if !self.verdict.is_terminated() {
            self.replies.take_place(self.place, self.secret);
        }
    }
}

impl ReplySink for Replies {
    fn reply(&self, reply: Message) {
        let waiter = reply.properties.correlation_id.as_deref().and_then(|id| self.take(id));
        match waiter {
            // A caller that went away meanwhile is no error.
            Some(waiter) => {
                let Message { properties, body, .. } = reply;
                drop(waiter.verdict.send(if body.len() > self.max_body_bytes {
                    Verdict::TooLarge { bytes: body.len() }
                } else {
                    Verdict::Reply(Answered { content_type: properties.content_type, body })
                }));
            }
            None => {
                // At 1, 2, 4, 8 …: whoever sends replies by the million must not fill the log.
                let count = self.stray.fetch_add(1, Ordering::Relaxed) + 1;
                if count.is_power_of_two() {
                    tracing::debug!(
                        count,
                        "dropped a reply that nobody waits for: it came late, or twice, or was never asked for"
                    );
                }
            }
        }
    }

    fn returned(&self, correlation_id: &str) {
        if let Some(waiter) = self.take(correlation_id) {
            let _ = waiter.verdict.send(Verdict::Returned);
        }
    }

    fn lost(&self) {
        let mut table = self.table();
        let waiting: Vec<_> = table.places.iter_mut().filter_map(Option::take).collect();
        table.free = (0..u32::try_from(table.places.len()).expect("places are numbered in 32 bits")).rev().collect();
        drop(table);
        for waiter in waiting {
            let _ = waiter.verdict.send(Verdict::Lost);
        }
    }
}
