//! The relay: publishes what was committed, and deletes what the broker has confirmed.
//!
//! One step in the database at a time, while messages are under way: read, delete, write a refusal down, keep the lease. Messages of
//! different orders are under way together, those of one order one after the other.

use std::{future::pending, sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    lanes::Lanes,
    lease::{Asked, Lease},
    row::{Outgoing, Row},
    store::{self, Look},
};
use crate::{
    Error, ErrorKind, Result,
    event::{DispatchError, Sender},
    observe::Tally,
    protocol::{Message, Name},
    sql::{Backend, Database},
};

/// Below so many that wait behind others, more is read.
const FEW: usize = 256;

/// From so many on, rows are deleted before more is read.
const MANY: usize = 1024;

/// How long to wait before the database is asked again after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long until what was refused is tried again, at first and at most; doubled in between.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A message whose fate the broker leaves open so often in a row may be why: it is held back like one that was refused.
const UNKNOWN: usize = 5;

/// How long to wait before it is published again.
const AGAIN: Duration = Duration::from_millis(100);

/// What sends the rows of one database.
pub(in crate::sql) struct Relay<D: Backend> {
    pub(in crate::sql) database: Database<D>,
    pub(in crate::sql) sender: Arc<Sender>,
    /// How often it looks without being told.
    pub(in crate::sql) poll: Duration,
}

impl<D: Backend> Relay<D> {
    /// Relays until it is stopped; then it finishes what it has read.
    pub(in crate::sql) async fn run(self, stop: CancellationToken) {
        let listening = self.database.clone().listen_for_rows();
        let mut work = Work::new(self);
        tokio::select! {
            () = work.run(&stop) => {}
            () = listening => {}
        }
        if work.lease.is_ours()
            && let Err(error) = work.relay.database.give_lease_back(&work.holder).await
        {
            info!(database = work.relay.database.address(), %error, "the outbox's lease was not given back, it runs out by itself");
        }
    }
}

/// What became of a row.
enum Outcome {
    Sent,
    Refused(String),
    /// The connection was closed by this program.
    Closed,
}

/// What one step in the database came to. What was to be written down comes back where it was not.
enum Step {
    Looked(Result<Look>),
    Asked(Result<Asked>),
    Loaded(Result<Vec<Row>>),
    Deleted(Vec<i64>, Result<()>),
    Held(Vec<(Row, String)>, Result<()>),
}

/// One way through the table, from its first row on.
#[derive(Clone, Copy)]
struct Pass {
    /// What is due later waits for the next pass: it may hold back what was read already.
    now: i64,
    after: i64,
}

struct Work<D: Backend> {
    relay: Relay<D>,
    /// Who asks for the lease.
    holder: String,
    lease: Lease,
    lanes: Lanes,
    under_way: FuturesUnordered<BoxFuture<'static, (Row, Outcome)>>,
    counted_sent: Arc<Tally>,
    counted_refused: Arc<Tally>,
    /// Sent, and still in the table.
    sent: Vec<i64>,
    /// Refused, which the table does not know.
    refused: Vec<(Row, String)>,
    step: Option<BoxFuture<'static, Step>>,
    pass: Option<Pass>,
    /// There may be something that no pass has seen.
    wanted: bool,
    /// When to look by itself.
    next: Instant,
    /// The database has just failed.
    paused: Option<Instant>,
    stopping: bool,
    closed: bool,
}

impl<D: Backend> Work<D> {
    fn new(relay: Relay<D>) -> Self {
        Self {
            counted_sent: relay.sender.relayed("sent"),
            counted_refused: relay.sender.relayed("refused"),
            relay,
            holder: Uuid::new_v4().to_string(),
            lease: Lease::default(),
            lanes: Lanes::default(),
            under_way: FuturesUnordered::new(),
            sent: Vec::new(),
            refused: Vec::new(),
            step: None,
            pass: None,
            // What was left from before.
            wanted: true,
            next: Instant::now(),
            paused: None,
            stopping: false,
            closed: false,
        }
    }

    async fn run(&mut self, stop: &CancellationToken) {
        let mut woken = self.relay.database.0.outbox.woken();
        loop {
            self.keep_to_the_lease();
            if self.step.is_none() && !self.is_paused() {
                self.step = self.next_step();
            }
            if self.is_done() {
                return;
            }
            let timer = self.timer();
            let step = async {
                match &mut self.step {
                    Some(step) => step.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                done = step => {
                    self.step = None;
                    self.take(done);
                }
                Some((row, outcome)) = self.under_way.next() => {
                    self.ended(row, outcome);
                    // All that have ended meanwhile, before the database is asked.
                    while let Some(Some((row, outcome))) = self.under_way.next().now_or_never() {
                        self.ended(row, outcome);
                    }
                }
                _ = woken.changed(), if !self.stopping => self.wanted = true,
                () = stop.cancelled(), if !self.stopping => {
                    // What was committed a moment ago goes along.
                    self.wanted |= woken.has_changed().unwrap_or_default();
                    self.stopping = true;
                }
                () = sleep_until(timer) => {
                    if Instant::now() >= self.next {
                        self.next = Instant::now() + self.relay.poll;
                        self.wanted |= !self.stopping;
                    }
                }
            }
        }
    }

    fn is_paused(&self) -> bool {
        self.paused.is_some_and(|until| Instant::now() < until)
    }

    fn is_done(&self) -> bool {
        let idle = self.step.is_none() && self.under_way.is_empty() && self.sent.is_empty() && self.refused.is_empty();
        let looking = self.pass.is_some() || self.wanted && self.lease.theirs().is_none();
        idle && (self.closed || self.stopping && !looking)
    }

    /// When there is something to do that nobody tells of.
    fn timer(&self) -> Instant {
        let busy = !self.under_way.is_empty() || self.pass.is_some();
        let expiry = self.lease.expiry().filter(|_| busy);
        let own = match (&self.step, self.paused) {
            (Some(_), _) => None,
            (None, Some(until)) if self.is_paused() => Some(until),
            (None, _) if self.closed => None,
            (None, _) => {
                let theirs = self.lease.theirs().filter(|_| self.wanted);
                let renewal = self.lease.renewal().filter(|_| busy);
                [Some(self.next), theirs, renewal].into_iter().flatten().min()
            }
        };
        [own, expiry].into_iter().flatten().min().unwrap_or_else(|| Instant::now() + self.relay.poll)
    }

    /// Without the lease nothing is under way: another relay may have the same rows.
    fn keep_to_the_lease(&mut self) {
        let busy = !self.under_way.is_empty() || self.lanes.waiting() > 0;
        // A pass that has just begun asks for it.
        if self.lease.is_ours() || !busy && (self.pass.is_none() || self.lease.theirs().is_none()) {
            return;
        }
        self.under_way.clear();
        let done_with = self.sent.iter().chain(self.refused.iter().map(|(row, _)| &row.id));
        self.lanes.let_go(done_with.copied());
        (self.pass, self.wanted) = (None, true);
    }

    /// What to do next in the database, if anything.
    fn next_step(&mut self) -> Option<BoxFuture<'static, Step>> {
        let database = self.relay.database.clone();
        let busy = self.pass.is_some() || !self.under_way.is_empty();
        let renew = self.lease.renewal().is_none_or(|renewal| Instant::now() >= renewal);
        // Before all else: a database that is slow to delete has always more to delete, and without the lease all is sent again.
        if busy && renew && !self.closed {
            let holder = self.holder.clone();
            return Some(Box::pin(async move { Step::Asked(database.ask_for_lease(&holder).await) }));
        }
        if !self.refused.is_empty() {
            let refused = std::mem::take(&mut self.refused);
            return Some(Box::pin(async move {
                let held = hold(&database, &refused).await;
                Step::Held(refused, held)
            }));
        }
        if self.sent.len() < MANY && !self.closed {
            match self.pass {
                Some(Pass { now, after }) if self.lanes.waiting() < FEW && self.under_way.len() < MANY => {
                    return Some(Box::pin(async move { Step::Loaded(database.load(after, now).await) }));
                }
                None if self.wanted && self.lease.theirs().is_none() => {
                    self.wanted = false;
                    return Some(Box::pin(async move { Step::Looked(database.look().await) }));
                }
                _ => {}
            }
        }
        if self.sent.is_empty() {
            return None;
        }
        let sent = std::mem::take(&mut self.sent);
        Some(Box::pin(async move {
            let deleted = database.delete(&sent).await;
            Step::Deleted(sent, deleted)
        }))
    }

    fn take(&mut self, step: Step) {
        let done = match step {
            Step::Looked(looked) => looked.map(|look| self.looked(&look)),
            Step::Asked(asked) => asked.map(|answer| self.lease.asked(answer)),
            Step::Loaded(loaded) => loaded.map(|rows| self.loaded(rows)),
            Step::Deleted(ids, deleted) => match deleted {
                Ok(()) => {
                    self.lanes.gone(&ids);
                    Ok(())
                }
                Err(error) => {
                    self.sent.extend(ids);
                    Err(error)
                }
            },
            Step::Held(rows, held) => match held {
                Ok(()) => {
                    for (row, _) in &rows {
                        self.lanes.held(row);
                        self.next = self.next.min(Instant::now() + backoff(row.attempts));
                    }
                    Ok(())
                }
                Err(error) => {
                    self.refused.extend(rows);
                    Err(error)
                }
            },
        };
        self.note(done.err());
    }

    /// The database answers or it does not: told once.
    fn note(&mut self, trouble: Option<Error>) {
        let database = &self.relay.database;
        match trouble {
            None => {
                self.paused = None;
                database.0.outbox.set_trouble(None);
            }
            Some(error) => {
                self.paused = Some(Instant::now() + PAUSE);
                self.wanted |= !self.stopping;
                if database.0.outbox.set_trouble(Some(error.chain())) {
                    warn!(database = database.address(), error = error.chain(), "the outbox waits for its database");
                }
            }
        }
    }

    fn looked(&mut self, look: &Look) {
        self.next = Instant::now() + self.relay.poll;
        if let Some(next) = look.next {
            self.next = self.next.min(Instant::now() + next);
        }
        self.pass = look.any.then_some(Pass { now: look.now, after: 0 });
    }

    fn loaded(&mut self, rows: Vec<Row>) {
        let Some(pass) = &mut self.pass else { return };
        match rows.last() {
            // At a stop nothing more is read.
            Some(last) if store::is_full(&rows) && !self.stopping => pass.after = last.id,
            _ => self.pass = None,
        }
        for row in rows {
            if let Some(row) = self.lanes.add(row) {
                self.send(row);
            }
        }
    }

    fn send(&self, row: Row) {
        let sender = self.relay.sender.clone();
        self.under_way.push(Box::pin(async move {
            let outcome = match &row.message {
                Ok(message) => publish(&sender, message).await,
                Err(text) => Outcome::Refused(text.clone()),
            };
            (row, outcome)
        }));
    }

    fn ended(&mut self, row: Row, outcome: Outcome) {
        match outcome {
            Outcome::Sent => {
                self.counted_sent.add(1);
                self.sent.push(row.id);
                if let Some(next) = self.lanes.sent(&row) {
                    self.send(next);
                }
            }
            Outcome::Refused(reason) => {
                self.counted_refused.add(1);
                let place = row.message.as_ref().map(|Outgoing { message, .. }| message).ok();
                warn!(
                    database = self.relay.database.address(),
                    row = row.id,
                    message_id = place.and_then(|message| message.properties.message_id.as_deref()),
                    exchange = place.map(|message| &*message.exchange),
                    routing_key = place.map(|message| &*message.routing_key),
                    attempt = row.attempts + 1,
                    again_in = ?backoff(row.attempts),
                    reason,
                    "a message of the outbox was refused, it is kept and tried again",
                );
                self.lanes.refused(&row);
                self.refused.push((row, reason));
            }
            Outcome::Closed => self.closed = true,
        }
    }
}

/// Publishes a message until the broker has said what becomes of it. While the broker is away that takes as long as it takes.
async fn publish(sender: &Sender, Outgoing { message, source, required }: &Outgoing) -> Outcome {
    let mut unknown = 0;
    loop {
        let error = match sender.publish_once(message.clone(), source.as_ref()).await {
            Ok(published) if published.routed => return Outcome::Sent,
            Ok(_) => return unrouted(sender, message, source.as_ref(), *required),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Closed => return Outcome::Closed,
            ErrorKind::Unavailable => {}
            ErrorKind::OutcomeUnknown if unknown < UNKNOWN => unknown += 1,
            _ => return Outcome::Refused(error.chain()),
        }
        sleep(AGAIN).await;
    }
}

/// It leads to no queue, which is what its sender said it may, or not.
fn unrouted(sender: &Sender, message: &Message, source: Option<&Name>, required: bool) -> Outcome {
    let (exchange, routing_key) = (message.exchange.to_string(), message.routing_key.to_string());
    let error = match source {
        Some(source) => {
            sender.unheard(source, &message.routing_key, required);
            DispatchError::NoListener { source: source.to_string(), event: routing_key }
        }
        None => DispatchError::Unroutable { exchange, routing_key },
    };
    if required { Outcome::Refused(error.to_string()) } else { Outcome::Sent }
}

/// How long a row waits that was refused so often before.
fn backoff(attempts: i64) -> Duration {
    let (first, longest) = BACKOFF;
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or_default();
    longest.min(first * 2_u32.pow(doublings))
}

async fn hold<D: Backend>(database: &Database<D>, refused: &[(Row, String)]) -> Result<()> {
    for (row, reason) in refused {
        database.refuse(row.id, reason, backoff(row.attempts)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::SenderSettings, observe::Observer, transport::MemoryTransport};

    /// It had not, and a backlog whose rows went slower than its messages was sent more than once.
    #[tokio::test]
    async fn the_lease_is_kept_while_there_is_always_more_to_delete() {
        let database: Database = Database::connect("sqlite::memory:").await.unwrap();
        database.prepare_outbox().await.unwrap();
        let sender = Sender::shared(MemoryTransport::open(""), SenderSettings::default(), Observer::off());
        let mut work = Work::new(Relay { database, sender, poll: Duration::from_secs(60) });
        work.pass = Some(Pass { now: 0, after: 0 });
        work.sent = vec![0; 2 * MANY];
        let step = work.next_step().unwrap().await;
        assert!(matches!(step, Step::Asked(Ok(Asked::Granted(_)))), "nothing is sent without it");
        work.take(step);
        assert!(matches!(work.next_step().unwrap().await, Step::Deleted(..)), "it is fresh");
        work.sent = vec![0; 2 * MANY];
        let old = Instant::now() - Duration::from_secs(3);
        work.lease.asked(Asked::Granted(old));
        assert!(matches!(work.next_step().unwrap().await, Step::Asked(Ok(_))));
    }
}
