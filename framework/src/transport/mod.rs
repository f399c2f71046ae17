//! Moving messages: what a broker must do for kinoko, and the promises it keeps.
//!
//! [`memory`](MemoryTransport) and `amqp` implement it; `tests/conformance` states each promise once and runs it on both.
//! Nothing here knows of services, workers or codecs.
//!
//! Deliveries, replies and returns are *pushed* into sinks, on the transport's own threads: a sink must not block.

#[cfg(feature = "amqp")]
pub(crate) mod amqp;
mod connect;
mod memory;
#[cfg(feature = "tls")]
pub(crate) mod pem;
mod routing;
mod tls;
mod topology;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub use self::{
    connect::{TransportOptions, connect},
    memory::MemoryTransport,
    tls::{Login, Tls},
    topology::{Binding, Exchange, ExchangeKind, Queue, QueueKind, QueueStatus, Topology},
};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Message, Name},
};

/// A connection to a broker that mends itself.
///
/// # Promises
///
/// - What was declared and what is consumed comes back by itself after every loss of the connection.
/// - No method waits for ever: while the broker is away they wait until it is back, the caller's deadline ends the wait by dropping the future;
///   credentials or a virtual host that the broker refuses at the *first* connection end every wait with [`ErrorKind::Refused`].
/// - After [`close`](Self::close) everything fails with [`ErrorKind::Closed`].
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Declares exchanges, queues and bindings, and again after each reconnect. Returns when the broker has them.
    ///
    /// A queue or exchange that exists with other arguments is adopted as it is, with one warning that names the difference.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] where the broker accepts neither credentials nor permission,
    /// [`ErrorKind::Closed`] after a close.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the topology stays registered and is declared with the next connection.
    async fn declare(&self, topology: Topology) -> Result<()>;

    /// Pushes the messages of a declared queue into `sink`, at most `prefetch` of them unsettled. Returns when the broker has the consumer.
    ///
    /// A consumer that the broker ends (its queue was deleted, its channel closed) is declared and started again.
    ///
    /// # Errors
    ///
    /// As [`declare`](Self::declare), and for a queue that nobody declared.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is consumed; a delivery that came meanwhile goes back.
    async fn consume(&self, queue: Name, prefetch: u16, sink: Arc<dyn DeliverySink>) -> Result<Arc<dyn Consumer>>;

    /// Opens the calling side of RPC: a reply queue named `rpc.reply-{owner}-{uuid}`, with a new name for every connection,
    /// reachable by that name through the default exchange and through the RPC exchange alike.
    ///
    /// # Errors
    ///
    /// As [`declare`](Self::declare).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, no reply queue is left.
    async fn open_requester(&self, owner: &str, sink: Arc<dyn ReplySink>) -> Result<Arc<dyn Requester>>;

    /// Publishes a message, mandatory, and waits for the broker's confirm: with `Ok`, every queue that it was routed to has it,
    /// on disk where the queue is durable and the message persistent.
    ///
    /// What is published after the confirm of another message comes after it; what is published at once, in any order. A message without
    /// `message_id` is given one. Nothing is published twice by itself: where the outcome is unknown, publish again under the same `message_id`, by which its consumers know it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Rejected`] when a queue did not take it, as a full one may;
    /// [`ErrorKind::NoExchange`] when its exchange does not exist: nobody has the message;
    /// [`ErrorKind::OutcomeUnknown`] when the broker gave no verdict: the connection was lost meanwhile,
    /// or the broker closed the channel for another message;
    /// [`ErrorKind::Usage`] for a body or a `user_id` that the broker does not allow;
    /// [`ErrorKind::Codec`] for properties that do not fit; otherwise as [`declare`](Self::declare).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the message was published or not. One that still waits for the broker to be back, or for the end of an alarm,
    /// is withdrawn.
    async fn publish(&self, message: Message) -> Result<Published>;

    /// Publishes a message after a delay that the broker keeps: with `Ok` it has the message, and when the delay is over it routes it as if it were
    /// published then, whatever became of this program. It comes not before, and some milliseconds after; over AMQP once or, where the broker died
    /// meanwhile, perhaps more than once, under the same `message_id`. Where it leads nowhere by then, it is lost.
    /// A delay of zero publishes at once; parts of a millisecond are rounded up.
    ///
    /// `expiration` counts from the end of the delay; over AMQP it arrives with the message, but RabbitMQ does not heed it.
    /// RabbitMQ keeps the message on a majority of nodes, from version 3.10 on; `docs/reference/wire-protocol.md` tells how.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a delay beyond [`MAX_DELAY`]; otherwise as [`publish`](Self::publish).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    async fn publish_later(&self, message: Message, delay: Duration) -> Result<()>;

    /// Asks the broker about a queue; `None` where there is no such queue. Safe to drop.
    ///
    /// # Errors
    ///
    /// As [`declare`](Self::declare).
    async fn queue_status(&self, queue: &Name) -> Result<Option<QueueStatus>>;

    /// Removes a queue that nobody consumes and in which nothing waits; it is not declared again with the next connection.
    /// From then on a message to it comes back. Says whether the queue is gone: `false` where it is in use or holds messages.
    ///
    /// RabbitMQ looks and removes in one step only where this transport declared a classic queue. Any other one is looked at first, and what is
    /// published to it in that very moment goes with it.
    ///
    /// # Errors
    ///
    /// As [`declare`](Self::declare).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the queue is there or not.
    async fn remove_queue(&self, queue: &Name) -> Result<bool>;

    /// Whether a queue that was declared here exists otherwise, and is used as it is.
    fn is_adopted(&self, queue: &Queue) -> bool;

    /// The state of the connection, for readiness and for messages to people.
    fn state(&self) -> watch::Receiver<ConnectionState>;

    /// Where it is connected to, without credentials, for messages to people.
    fn address(&self) -> String;

    /// Flushes replies and acknowledgements, then closes. What is unsettled goes back to its queue. A second call does nothing.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it goes on by itself.
    async fn close(&self);
}

/// The longest delay of [`Transport::publish_later`]: 24 days, 20 hours and a half.
pub const MAX_DELAY: Duration = kinoko_text::MAX_DELAY;

pub(crate) fn check_delay(delay: Duration) -> Result<()> {
    if delay > MAX_DELAY {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "a delay of {} days is too long, brokers keep a message for at most 24: keep it in a database",
                delay.as_secs().div_ceil(86_400)
            ),
        ));
    }
    Ok(())
}

/// What a message was published to is not there.
fn no_exchange(name: &str) -> Error {
    Error::new(ErrorKind::NoExchange, format!("there is no exchange `{name}`: declare it first, or correct its name"))
}

/// What the broker confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// Whether any queue took it. `false`: the exchange led nowhere, so nobody will ever see it.
    pub routed: bool,
}

/// Whether the broker can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not yet, or not any more: the text is the last reason.
    Connecting(String),
    /// Messages flow.
    Connected,
    /// The broker takes no publishes at the moment (memory or disk alarm): the text is its reason.
    Blocked(String),
    /// The broker refused the credentials or the virtual host: the text says which.
    Refused(String),
    /// Closed by this program.
    Closed,
}

impl ConnectionState {
    /// Why something was not sent in time.
    pub(crate) fn unreachable(&self, address: &str) -> String {
        match self {
            Self::Connecting(reason) if !reason.is_empty() => {
                format!("the broker at {address} was not reachable in time: {reason}")
            }
            Self::Blocked(reason) => format!("the broker at {address} takes no messages at the moment: {reason}"),
            _ => format!("the broker at {address} was not reachable in time"),
        }
    }
}

/// Where a consumer's deliveries go.
pub trait DeliverySink: Send + Sync + 'static {
    /// Takes one delivery. Runs on the transport's thread: it must not block.
    fn deliver(&self, delivery: Delivery);

    /// The connection that brought this consumer's deliveries is gone: the broker gives the unsettled ones to somebody else.
    /// Called before the first delivery of the next connection.
    fn lost(&self);
}

/// Where a requester's replies go.
pub trait ReplySink: Send + Sync + 'static {
    /// Takes one reply. Runs on the transport's thread, or on the replier's in memory: it must not block.
    fn reply(&self, reply: Message);

    /// A request came back: no queue takes it. At most once per request, told by its correlation id.
    fn returned(&self, correlation_id: &str);

    /// The reply queue is gone and with it every reply that was still to come. Called before the next reply queue exists.
    fn lost(&self);
}

/// A running consumer of one queue.
#[async_trait]
pub trait Consumer: fmt::Debug + Send + Sync {
    /// Allows this many more unsettled deliveries than before.
    fn grow(&self, extra: u16);

    /// How it is doing, for readiness and for messages to people.
    fn status(&self) -> ConsumerStatus;

    /// Stops taking messages; what was delivered can still be settled. When it returns, nothing more reaches the sink.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it goes on by itself.
    async fn cancel(&self);

    /// Stops taking messages, and gives all that is unsettled back to the queue at once: in its order, and before another consumer gets
    /// anything. For queues with a single active consumer, where [`cancel`](Self::cancel) lets the next one overtake what is given back after it.
    ///
    /// # Cancel safety
    ///
    /// As [`cancel`](Self::cancel).
    async fn give_back(&self);
}

/// How a consumer is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// What it consumes.
    pub queue: Name,
    /// Whether the broker delivers to it.
    pub running: bool,
    /// How often that ended since the start without being asked for: with the connection, or with the queue.
    pub interruptions: u64,
    /// Why it last ended; empty while it runs.
    pub reason: String,
}

impl ConsumerStatus {
    /// The broker delivers.
    pub(crate) fn started(&mut self) {
        self.running = true;
        self.reason.clear();
    }

    /// The broker delivers no more.
    pub(crate) fn interrupted(&mut self, reason: impl Into<String>) {
        self.interruptions += u64::from(self.running);
        self.stopped(reason);
    }

    /// It was asked to end.
    pub(crate) fn stopped(&mut self, reason: impl Into<String>) {
        self.running = false;
        self.reason = reason.into();
    }
}

/// The calling side of RPC over one transport.
pub trait Requester: fmt::Debug + Send + Sync {
    /// Publishes a request, mandatory and without a confirm: its reply or its return is the verdict.
    /// Stamps `reply_to` with the present reply queue. Resolves when it is written; an error means that it was not sent.
    fn request(&self, message: Message) -> Publishing;
}

/// A publish under way.
#[must_use = "a publish is only sure to be written once it was awaited"]
pub enum Publishing {
    /// Already done: in memory there is nothing to wait for.
    Done(Option<Result<()>>),
    /// Waits for the broker to be back or to take messages; dropped now, the message was not sent.
    Waiting(BoxFuture<'static, Result<Publishing>>),
    /// Waits for the socket; dropped now, the message was sent or not.
    Writing(BoxFuture<'static, Result<()>>),
}

impl Publishing {
    /// A publish that ended at once.
    pub fn done(result: Result<()>) -> Self {
        Self::Done(Some(result))
    }

    /// Whether it was not sent for sure, should it be dropped now.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }
}

impl fmt::Debug for Publishing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Publishing::Done",
            Self::Waiting(_) => "Publishing::Waiting",
            Self::Writing(_) => "Publishing::Writing",
        })
    }
}

impl Future for Publishing {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let publishing = self.get_mut();
        loop {
            match publishing {
                Self::Done(result) => return Poll::Ready(result.take().expect("a publish is awaited once")),
                Self::Waiting(future) => match future.as_mut().poll(cx) {
                    Poll::Ready(Ok(next)) => *publishing = next,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                },
                Self::Writing(future) => return future.as_mut().poll(cx),
            }
        }
    }
}

/// One message, taken from a queue and not yet settled.
///
/// Dropped without a verdict it goes back to its queue, at once or [with the others](Self::in_order): a worker that vanishes loses nothing.
pub struct Delivery {
    message: Arc<Message>,
    redelivered: bool,
    waited: Duration,
    stays: bool,
    ticket: Option<Ticket>,
}

struct Ticket {
    tag: u64,
    settler: Arc<dyn Settler>,
}

/// Settles deliveries; what a transport implements behind [`Delivery`].
///
/// Each method is called at most once per tag, and does nothing once the connection that brought the delivery is gone.
pub trait Settler: Send + Sync + 'static {
    /// The message is done with.
    fn ack(&self, tag: u64);

    /// The same, and resolves when the broker knows: from then on nobody gets the message again, whatever ends. It must where an
    /// acknowledgement takes time.
    fn ack_and_wait(&self, tag: u64) -> Publishing {
        self.ack(tag);
        Publishing::done(Ok(()))
    }

    /// The message goes back to its queue, marked as redelivered.
    fn requeue(&self, tag: u64, message: Arc<Message>);

    /// Publishes the reply, then acknowledges: the broker never has the acknowledgement without the reply.
    /// Resolves when the reply is written. When it fails, the delivery goes back to its queue.
    fn reply(&self, tag: u64, reply: Message) -> Publishing;
}

impl Delivery {
    /// What a transport hands to a [`DeliverySink`].
    pub fn new(message: impl Into<Arc<Message>>, redelivered: bool, tag: u64, settler: Arc<dyn Settler>) -> Self {
        let ticket = Some(Ticket { tag, settler });
        Self { message: message.into(), redelivered, waited: Duration::ZERO, stays: false, ticket }
    }

    /// The same, after it may have waited for so long in this process: its threads were held up by something else.
    #[must_use]
    pub fn after_waiting(mut self, at_most: Duration) -> Self {
        self.waited = at_most;
        self
    }

    /// The same, but without a verdict it stays unsettled until its consumer [gives everything back](Consumer::give_back), or its connection
    /// ends. For queues whose order matters: handed back alone, it would come again among those that were delivered after it.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.stays = true;
        self
    }

    /// How long it may have waited in this process before it was handed over, at most.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// The message.
    pub fn message(&self) -> &Arc<Message> {
        &self.message
    }

    /// Whether it may have been delivered before.
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// Done with it.
    pub fn ack(mut self) {
        if let Some(ticket) = self.ticket.take() {
            ticket.settler.ack(ticket.tag);
        }
    }

    /// Done with it, and waits until the broker knows. An error means that the message may come again.
    pub fn ack_and_wait(mut self) -> Publishing {
        match self.ticket.take() {
            Some(ticket) => ticket.settler.ack_and_wait(ticket.tag),
            None => Publishing::done(Ok(())),
        }
    }

    /// Hands it back to its queue, as its drop does.
    pub fn requeue(self) {
        drop(self);
    }

    /// Publishes `reply`, then acknowledges, in an order that survives a crash between the two.
    pub fn reply(mut self, reply: Message) -> Publishing {
        match self.ticket.take() {
            Some(ticket) => ticket.settler.reply(ticket.tag, reply),
            None => Publishing::done(Ok(())),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take()
            && !self.stays
        {
            ticket.settler.requeue(ticket.tag, self.message.clone());
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("exchange", &self.message.exchange)
            .field("routing_key", &self.message.routing_key)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}
