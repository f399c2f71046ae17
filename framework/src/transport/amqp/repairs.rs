use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::{failure::Failure, item::Item, link::Link, refusals::Refusals, shared::Shared, topology, window::Publish};
use crate::{
    ErrorKind, Result,
    protocol::{Message, Name},
    transport::{Published, no_exchange},
};

/// How often the same way is repaired at most: what nobody listens to comes back each time.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

const MOST_BEHIND: usize = 256;

/// From here on the ways that need not be remembered any more are forgotten.
const MOST_DONE: usize = 256;

/// Declares again what would have led a message somewhere, and holds the message meanwhile.
#[derive(Default)]
pub(super) struct Repairs {
    held: Vec<Held>,
    /// What came later for an exchange that is missing: published now, it would end the channel for all.
    behind: Vec<(Way, Publish)>,
    running: Option<(Way, BoxFuture<'static, Result<(), Failure>>)>,
    /// When each way was last declared again, and whether that worked.
    done: HashMap<Way, (Instant, bool)>,
}

/// A message that is known to be nowhere.
pub(super) struct Lost {
    pub(super) publish: Publish,
    /// When it was published.
    pub(super) since: Instant,
    /// Its exchange is missing, and not only the way from there.
    pub(super) without_exchange: bool,
    /// What to tell where it is not published again.
    pub(super) verdict: Result<Published>,
}

struct Held {
    way: Way,
    items: Vec<Item>,
    lost: Lost,
}

/// What is repaired as one: an exchange, or a queue behind the default exchange.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    exchange: Name,
    queue: Name,
}

impl Way {
    fn of(message: &Message) -> Self {
        let queue = if message.exchange.is_empty() { message.routing_key.clone() } else { Name::default() };
        Self { exchange: message.exchange.clone(), queue }
    }
}

impl Lost {
    pub(super) fn tell(self) {
        self.publish.tell(self.verdict);
    }
}

impl Repairs {
    /// Takes a message, with what would lead it somewhere. Returns it where it is to be published again at once; otherwise it is held, or its
    /// verdict told.
    pub(super) fn take(&mut self, lost: Lost, items: Vec<Item>) -> Option<Publish> {
        if lost.publish.again || items.is_empty() {
            lost.tell();
            return None;
        }
        let way = Way::of(&lost.publish.message);
        match self.done.get(&way) {
            Some((at, worked)) if *at >= lost.since => again(lost, *worked),
            // A missing exchange is rare, and surely worth it once more.
            Some((at, worked)) if at.elapsed() < AT_MOST_EVERY && !(lost.without_exchange && *worked) => {
                again(lost, false)
            }
            _ => {
                self.held.push(Held { way, items, lost });
                None
            }
        }
    }

    /// Takes a message whose exchange was missing a while ago: it is published when the exchange is there, or was declared again.
    pub(super) fn look_for(&mut self, publish: Publish, items: Vec<Item>) {
        let verdict = Err(no_exchange(&publish.message.exchange));
        let lost = Lost { publish, since: Instant::now(), without_exchange: true, verdict };
        self.held.push(Held { way: Way::of(&lost.publish.message), items, lost });
    }

    /// Keeps a message whose exchange is missing and being declared again. Returns any other one.
    pub(super) fn pass(&mut self, publish: Publish) -> Option<Publish> {
        if self.held.is_empty() {
            return Some(publish);
        }
        let way = Way::of(&publish.message);
        if !self.held.iter().any(|held| held.lost.without_exchange && held.way == way) {
            return Some(publish);
        }
        self.behind.push((way, publish));
        None
    }

    /// Whether more may be let [`pass`](Self::pass): whoever publishes has to wait when too much is kept.
    pub(super) fn has_room(&self) -> bool {
        self.behind.len() < MOST_BEHIND
    }

    /// Goes on repairing. What was held for a way that is done is to be published.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Arc<Shared>,
        link: &Arc<Link>,
        refusals: &mut Refusals,
    ) -> Poll<Vec<Publish>> {
        if self.running.is_none()
            && let Some(Held { way, items, .. }) = self.held.first()
        {
            let (shared, link, items, exchange) = (shared.clone(), link.clone(), items.clone(), way.exchange.clone());
            let declaring = async move {
                if items.is_empty() {
                    return match topology::has_exchange(&link, &exchange).await {
                        Ok(false) => Err(no_exchange(&exchange).into()),
                        Err(Failure::Lost) => Err(Failure::Lost),
                        // What the broker does not tell shows when the message is published.
                        Ok(true) | Err(_) => Ok(()),
                    };
                }
                let _round = shared.registry.round().await;
                topology::declare(&shared.registry, &link, &items).await
            };
            self.running = Some((way.clone(), declaring.boxed()));
        }
        let Some((way, declaring)) = &mut self.running else { return Poll::Pending };
        let outcome = ready!(declaring.poll_unpin(cx));
        match &outcome {
            Ok(()) => debug!(?way, "declared again what a message did not find"),
            // What is held goes on with the next link.
            Err(Failure::Lost) => {
                self.running = None;
                return Poll::Pending;
            }
            Err(Failure::Invalid(error)) if error.kind() == ErrorKind::NoExchange => debug!(?way, "still not there"),
            Err(failure) => warn!(?way, %failure, "could not declare again what a message did not find"),
        }
        let (way, worked) = (way.clone(), outcome.is_ok());
        self.running = None;
        let held = self.held.extract_if(.., |held| held.way == way).filter_map(|held| again(held.lost, worked));
        let behind = self.behind.extract_if(.., |(other, _)| *other == way).map(|(_, publish)| publish);
        let mut done: Vec<_> = held.collect();
        if worked {
            refusals.found(&way.exchange);
            done.extend(behind);
        } else {
            behind.for_each(|publish| publish.tell(Err(no_exchange(&way.exchange))));
        }
        if self.done.len() >= MOST_DONE {
            self.done.retain(|_, (at, _)| at.elapsed() < AT_MOST_EVERY);
        }
        self.done.insert(way, (Instant::now(), worked));
        Poll::Ready(done)
    }

    /// The link is over. What is held is declared with the next one.
    pub(super) fn interrupt(&mut self) {
        self.running = None;
    }

    /// There is no time left for repairs. Returns what was never published.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = Publish> {
        self.running = None;
        self.held.drain(..).for_each(|held| held.lost.tell());
        self.behind.drain(..).map(|(_, publish)| publish)
    }
}

fn again(mut lost: Lost, worked: bool) -> Option<Publish> {
    if !worked {
        lost.tell();
        return None;
    }
    lost.publish.again = true;
    Some(lost.publish)
}
