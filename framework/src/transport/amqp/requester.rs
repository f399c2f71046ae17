use std::{
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel,
    options::BasicConsumeOptions,
    types::{FieldTable, ShortString},
};
use tokio::{
    sync::watch,
    task,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use uuid::Uuid;

use super::{
    convert::{incoming, short},
    failure::{Failure, closed},
    item::items,
    link::Link,
    pace::{Activity, Pace},
    ready::Ready,
    shared::{Phase, STABLE_AFTER, Shared, backoff},
    topology,
};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Message, Name},
    transport::{Binding, Exchange, ExchangeKind, Publishing, Queue, ReplySink, Requester, Topology},
};

/// How many replies one wake hands over before other tasks of the thread have their turn.
const BATCH: usize = 256;

/// What the handle and the task of one requester share.
pub(super) struct Entry {
    owner: String,
    sink: Arc<dyn ReplySink>,
    gate: watch::Sender<Gate>,
    activity: Activity,
    dropped: CancellationToken,
}

/// Whether requests may be published, and where.
enum Gate {
    Shut,
    Open(Arc<Route>),
    Refused(Arc<str>),
    Closed,
}

/// What a request needs of the present link.
struct Route {
    link: Arc<Link>,
    channel: Channel,
    reply_to: ShortString,
}

/// The handle of a requester; its drop ends the requester.
pub(super) struct AmqpRequester(pub(super) Arc<Entry>);

impl Entry {
    pub(super) fn new(owner: &str, sink: Arc<dyn ReplySink>) -> Arc<Self> {
        Arc::new(Self {
            owner: owner.to_owned(),
            sink,
            gate: watch::Sender::new(Gate::Shut),
            activity: Activity::default(),
            dropped: CancellationToken::new(),
        })
    }

    pub(super) fn dropped_token(&self) -> &CancellationToken {
        &self.dropped
    }

    /// The present route; `None` while there is none.
    fn route(&self) -> Result<Option<Arc<Route>>> {
        match &*self.gate.borrow() {
            Gate::Open(route) if !route.link.is_over() => Ok(Some(route.clone())),
            Gate::Shut | Gate::Open(_) => Ok(None),
            Gate::Refused(text) => Err(Error::new(ErrorKind::Refused, text.to_string())),
            Gate::Closed => Err(closed()),
        }
    }

    async fn next_route(&self) -> Result<Arc<Route>> {
        if let Some(route) = self.route()? {
            return Ok(route);
        }
        let mut gate = self.gate.subscribe();
        loop {
            if let Some(route) = self.route()? {
                return Ok(route);
            }
            gate.changed().await.map_err(|_| closed())?;
        }
    }

    /// A request that waits here was never handed to lapin, which would send it even when the caller has given up.
    async fn writable_route(&self) -> Result<Arc<Route>> {
        let route = self.next_route().await?;
        // When the link ends it fails: its caller heard `lost`, and must not be answered by the next link.
        route.link.writable().await?;
        Ok(route)
    }

    /// The present route, if a request can be written to it at once.
    fn open_route(&self) -> Option<Arc<Route>> {
        self.route().ok().flatten().filter(|route| !route.link.is_blocked())
    }

    fn write(self: Arc<Self>, route: Arc<Route>, message: Message) -> Publishing {
        Publishing::Writing(Box::pin(async move {
            // Not known to be sent when the link ends in the middle: then `lost` is the verdict, which this link's end brings.
            let _ = route.link.publish(&route.channel, &message, Some(&route.reply_to), true).await?;
            self.activity.note();
            Ok(())
        }))
    }
}

impl Requester for AmqpRequester {
    fn request(&self, message: Message) -> Publishing {
        let entry = self.0.clone();
        match entry.open_route() {
            Some(route) => entry.write(route, message),
            None => Publishing::Waiting(Box::pin(async move {
                let route = entry.writable_route().await?;
                Ok(entry.write(route, message))
            })),
        }
    }
}

impl Drop for AmqpRequester {
    fn drop(&mut self) {
        self.0.dropped.cancel();
    }
}

impl fmt::Debug for AmqpRequester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpRequester").field("owner", &self.0.owner).finish_non_exhaustive()
    }
}

/// How one incarnation of a requester ended.
enum End {
    Link,
    Dropped,
    Fault(Failure),
}

/// Serves a requester over one link after the other, until it is dropped or the transport ends.
pub(super) async fn run(entry: Arc<Entry>, mut ready: Ready, shared: Arc<Shared>) {
    let mut attempt = 0;
    loop {
        let began = Instant::now();
        let link = tokio::select! {
            biased;
            () = entry.dropped.cancelled() => return,
            link = shared.link() => link,
        };
        let link = match link {
            Ok(link) => link,
            Err(error) => {
                entry.gate.send_replace(match &*shared.phase.borrow() {
                    Phase::Refused(text) => Gate::Refused(text.clone()),
                    _ => Gate::Closed,
                });
                return ready.tell(Err(error));
            }
        };
        let mut running = None;
        let serving = AssertUnwindSafe(serve(&entry, &mut ready, &shared, &link, &mut running)).catch_unwind();
        let end = serving.await.unwrap_or_else(|_| End::Fault(Failure::Panicked));
        // Shut first: a request that finds the gate open after `lost` would wait for a reply that cannot come.
        entry.gate.send_replace(Gate::Shut);
        let started = running.is_some();
        if started {
            entry.sink.lost();
        }
        if link.is_over() || began.elapsed() > STABLE_AFTER {
            attempt = 0;
        }
        if let Some(running) = running.filter(|_| !link.is_over()) {
            running.close(&link).await;
        }
        match end {
            End::Dropped => return,
            End::Link => continue,
            End::Fault(failure) if started => {
                warn!(owner = entry.owner, %failure, "the broker ended a reply queue, opening another one");
            }
            End::Fault(failure) if ready.is_waiting() && failure.is_final() => {
                return ready.tell(Err(failure.into()));
            }
            End::Fault(failure) => debug!(owner = entry.owner, %failure, "could not open a reply queue, trying again"),
        }
        if attempt > 0 {
            tokio::select! {
                () = entry.dropped.cancelled() => return,
                () = shared.closing.cancelled() => {}
                () = link.over().cancelled() => {}
                () = time::sleep(backoff(attempt)) => {}
            }
        }
        attempt += 1;
    }
}

/// One incarnation: the reply queue's consumer, and the channel that requests leave by.
struct Running {
    replies: lapin::Consumer,
    replies_channel: Channel,
    queue: Name,
    route: Arc<Route>,
}

impl Running {
    async fn open(entry: &Entry, shared: &Shared, link: &Arc<Link>) -> Result<Self, Failure> {
        let queue: Name = format!("rpc.reply-{}-{}", entry.owner, Uuid::new_v4()).into();
        let reply_to = short("reply queue", &queue)?;
        topology::declare(&shared.registry, link, &items(&reply_topology(queue.clone(), shared.rpc_exchange.clone())))
            .await?;
        let replies_channel = link.consuming_channel().await?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consume =
            replies_channel.basic_consume(reply_to.clone(), ShortString::default(), options, FieldTable::default());
        let replies = link.ask("consume a reply queue", consume).await?;
        let channel = link.publishing_channel().await?;
        let route = Arc::new(Route { link: link.clone(), channel, reply_to });
        Ok(Self { replies, replies_channel, queue, route })
    }

    fn is_healthy(&self) -> bool {
        self.route.channel.status().connected() && self.replies_channel.status().connected()
    }

    /// Hands over the replies that are ready, at most [`BATCH`].
    fn poll_replies(&mut self, cx: &mut Context<'_>, sink: &dyn ReplySink) -> Poll<Result<usize, Failure>> {
        let what = "go on consuming a reply queue";
        for count in 0..BATCH {
            match self.replies.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(delivery))) => sink.reply(incoming(delivery, &self.queue).0),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(Failure::Broker { what, error })),
                Poll::Ready(None) => return Poll::Ready(Err(Failure::Ended)),
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(count)),
            }
        }
        Poll::Ready(Ok(BATCH))
    }

    /// Hands over the requests that came back. On a channel without confirms lapin gathers them, and this waits for nothing.
    fn drain_returned(&self, sink: &dyn ReplySink) {
        let Some(Ok(returned)) = self.route.channel.wait_for_confirms().now_or_never() else { return };
        for message in returned {
            match message.properties.correlation_id() {
                Some(id) => sink.returned(id.as_str()),
                None => debug!("a message without correlation id came back"),
            }
        }
    }

    async fn close(self, link: &Link) {
        link.close_channel(&self.route.channel).await;
        link.close_channel(&self.replies_channel).await;
    }
}

/// Exclusive, and gone with its one consumer: a fault of the requester alone leaves no queue behind either.
fn reply_topology(queue: Name, exchange: Name) -> Topology {
    Topology {
        exchanges: vec![Exchange::durable(exchange.clone(), ExchangeKind::Topic)],
        bindings: vec![Binding::new(exchange, queue.clone(), queue.clone())],
        queues: vec![Queue { durable: false, exclusive: true, auto_delete: true, ..Queue::durable(queue) }],
    }
}

async fn serve(entry: &Entry, ready: &mut Ready, shared: &Shared, link: &Arc<Link>, slot: &mut Option<Running>) -> End {
    // Not given up when it is dropped meanwhile: the broker might have the queue already, and keep it as long as the connection.
    let running = match Running::open(entry, shared, link).await {
        Ok(running) => slot.insert(running),
        Err(Failure::Lost) => return End::Link,
        Err(failure) => return End::Fault(failure),
    };
    let mut faults = link.faults();
    entry.gate.send_replace(Gate::Open(running.route.clone()));
    ready.tell(Ok(()));
    let mut over = pin!(link.over().cancelled());
    let mut closing = pin!(shared.closing.cancelled());
    let mut dropped = pin!(entry.dropped.cancelled());
    let mut pace = Pace::new(&entry.activity);
    let mut look = pin!(time::sleep(Duration::ZERO));
    loop {
        let replies = tokio::select! {
            biased;
            () = &mut over => return End::Link,
            () = &mut closing => return End::Link,
            () = &mut dropped => return End::Dropped,
            replies = std::future::poll_fn(|cx| running.poll_replies(cx, &*entry.sink)) => replies,
            () = &mut look, if !pace.is_parked() => {
                running.drain_returned(&*entry.sink);
                if let Some(next) = pace.next_look(&entry.activity) {
                    look.as_mut().reset(Instant::now() + next);
                }
                Ok(0)
            }
            () = entry.activity.resumed() => {
                look.as_mut().reset(Instant::now() + pace.resume());
                Ok(0)
            }
            _ = faults.changed() => Ok(0),
        };
        match replies {
            Ok(BATCH) => task::yield_now().await,
            // A request to an exchange that does not exist closes the channel, and with it the requests behind.
            Ok(0) if !running.is_healthy() && !link.is_over() => return End::Fault(Failure::Ended),
            Ok(_) => {}
            Err(_) if link.is_over() => return End::Link,
            Err(failure) => return End::Fault(failure),
        }
    }
}
