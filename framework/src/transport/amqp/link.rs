use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::BoxStream};
use lapin::{Channel, Event, options::BasicPublishOptions, types::ShortString};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{Role, Wire},
    convert,
    failure::{ConnectFailure, Failure},
    in_flight::InFlight,
    settle::Replies,
    uri::Address,
};
use crate::{Error, ErrorKind, Result, protocol::Message};

/// For the connection that publishes only: half the memory of the broker's 131072. The other one must keep the broker's own,
/// or one message with larger headers takes it down again and again.
pub(super) const PUBLISH_FRAME_MAX: u32 = 16384;

/// For every question to the broker. Declaring is quick, but a cluster that elects a leader takes seconds.
const OPERATION_LIMIT: Duration = Duration::from_secs(10);

/// For each step of closing: a broker that does not answer by then has everything it will get.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// A quorum queue may requeue what was acknowledged less than about 20 ms before the close.
const SETTLE_BEFORE_CLOSE: Duration = Duration::from_millis(100);

/// One incarnation of the connection: what one pair of TCP connections carries, until one of the two is lost.
pub(super) struct Link {
    publishing: Wire,
    consuming: Wire,
    replies: Replies,
    /// Replies that are not yet acknowledged, and publishes that have no verdict yet.
    in_flight: InFlight,
    blocked: watch::Sender<bool>,
    faults: watch::Sender<()>,
    over: CancellationToken,
}

/// The events of a link's two connections. There is one listener each: a second one would steal from it.
pub(super) struct LinkEvents {
    publishing: BoxStream<'static, Event>,
    consuming: BoxStream<'static, Event>,
}

/// What a link's watcher saw.
pub(super) enum Sight {
    /// The broker takes no publishes, for this reason.
    Blocked(String),
    Unblocked,
    /// A connection is gone, for this reason.
    Lost(String),
}

impl Link {
    pub(super) async fn open(address: &Address, name: &str) -> Result<(Arc<Self>, LinkEvents), ConnectFailure> {
        let (consuming, consuming_events) = Wire::open(address, name, Role::Consuming, None).await?;
        let (publishing, publishing_events) =
            Wire::open(address, name, Role::Publishing, Some(PUBLISH_FRAME_MAX)).await?;
        let replies = match publishing.connection().create_channel().await {
            Ok(channel) => Replies::new(channel),
            Err(error) => return Err(ConnectFailure::from_lapin(&error, address)),
        };
        let link = Self {
            publishing,
            consuming,
            replies,
            in_flight: InFlight::default(),
            blocked: watch::Sender::new(false),
            faults: watch::Sender::new(()),
            over: CancellationToken::new(),
        };
        Ok((Arc::new(link), LinkEvents { publishing: publishing_events, consuming: consuming_events }))
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Whether both connections stand. They can have ended before the supervisor has noticed.
    pub(super) fn is_connected(&self) -> bool {
        self.consuming.is_connected() && self.publishing.is_connected()
    }

    /// Ends when this incarnation does.
    pub(super) fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Changes whenever the broker closed some channel: look at your own.
    pub(super) fn faults(&self) -> watch::Receiver<()> {
        self.faults.subscribe()
    }

    pub(super) fn replies(&self) -> &Replies {
        &self.replies
    }

    pub(super) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Whether the broker takes no publishes at the moment.
    pub(super) fn is_blocked(&self) -> bool {
        self.publishing.is_blocked()
    }

    /// Changes with [`is_blocked`](Self::is_blocked). lapin sets its status before it tells the event that ends here, so no change is missed.
    pub(super) fn blocked(&self) -> watch::Receiver<bool> {
        self.blocked.subscribe()
    }

    /// Runs one question to the broker under a time limit, and no longer than the link.
    pub(super) async fn ask<T>(
        &self,
        what: &'static str,
        question: impl Future<Output = lapin::Result<T>>,
    ) -> Result<T, Failure> {
        let answer = tokio::select! {
            biased;
            answer = question => answer,
            () = self.over.cancelled() => return Err(Failure::Lost),
            () = time::sleep(OPERATION_LIMIT) => return Err(Failure::Late { what, limit: OPERATION_LIMIT }),
        };
        match answer {
            Ok(value) => Ok(value),
            Err(_) if !self.is_connected() => {
                // Until the supervisor has noticed, this link would be tried again at once.
                self.over.cancelled().await;
                Err(Failure::Lost)
            }
            Err(error) => Err(Failure::Broker { what, error }),
        }
    }

    /// A channel of the connection that consumes and declares.
    pub(super) async fn consuming_channel(&self) -> Result<Channel, Failure> {
        self.ask("open a channel", self.consuming.connection().create_channel()).await
    }

    /// A channel of the connection that publishes.
    pub(super) async fn publishing_channel(&self) -> Result<Channel, Failure> {
        self.ask("open a channel", self.publishing.connection().create_channel()).await
    }

    /// Closes a channel, where leaving that to its drop could let lapin turn a race into a lost connection.
    pub(super) async fn close_channel(&self, channel: &Channel) {
        if channel.status().connected() {
            let _ = self.ask("close a channel", channel.close(200, ShortString::default())).await;
        }
    }

    /// Returns once publishes are taken, so that what is given up meanwhile never reached lapin, which would send it later.
    pub(super) async fn writable(&self) -> Result<(), Failure> {
        if self.is_over() {
            return Err(Failure::Lost);
        }
        if !self.is_blocked() {
            return Ok(());
        }
        let mut blocked = self.blocked();
        loop {
            if !self.is_blocked() {
                return Ok(());
            }
            tokio::select! {
                _ = blocked.changed() => {}
                () = self.over.cancelled() => return Err(Failure::Lost),
            }
        }
    }

    /// Publishes on one of the publishing connection's channels and waits until it is written.
    ///
    /// `Ok(false)`: the link ended while lapin held the message, so it may or may not have been sent.
    pub(super) async fn publish(
        &self,
        channel: &Channel,
        message: &Message,
        reply_to: Option<&ShortString>,
        mandatory: bool,
    ) -> Result<bool> {
        let convert::Outgoing { exchange, routing_key, properties } = convert::outgoing(message, reply_to)?;
        let options = BasicPublishOptions { mandatory, immediate: false };
        let written = tokio::select! {
            biased;
            written = channel.basic_publish(exchange, routing_key, options, &message.body, properties) => written,
            () = self.over.cancelled() => return Ok(false),
        };
        match written {
            Ok(_) => Ok(true),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, format!("the message was not sent: {error}"))),
        }
    }

    /// Watches for whatever ends or blocks the link; `see` is told, the last time with [`Sight::Lost`].
    pub(super) async fn watch(&self, events: LinkEvents, mut see: impl FnMut(Sight)) {
        let LinkEvents { mut publishing, mut consuming } = events;
        let mut publishing_probe = pin!(self.publishing.probe());
        let mut consuming_probe = pin!(self.consuming.probe());
        let reason = loop {
            let (wire, event) = tokio::select! {
                event = publishing.next() => (&self.publishing, event),
                event = consuming.next() => (&self.consuming, event),
                reason = &mut publishing_probe => break reason,
                reason = &mut consuming_probe => break reason,
            };
            let is_publishing = std::ptr::eq(wire, &self.publishing);
            match event {
                Some(Event::ConnectionBlocked(reason)) if is_publishing => {
                    self.blocked.send_replace(true);
                    see(Sight::Blocked(reason));
                }
                Some(Event::ConnectionUnblocked) if is_publishing => {
                    self.blocked.send_replace(false);
                    see(Sight::Unblocked);
                }
                Some(Event::Error(error)) if !wire.is_connected() => break error.to_string(),
                // An error of a channel, whichever: the event does not name it.
                Some(Event::Error(_)) => {
                    self.faults.send_replace(());
                }
                Some(_) => {}
                None => break "its events ended".to_owned(),
            }
        };
        see(Sight::Lost(reason));
    }

    /// Ends this incarnation. The sockets go first: what lapin still holds must not be sent to a broker that comes back.
    pub(super) fn kill(&self) {
        self.publishing.kill();
        self.consuming.kill();
        self.over.cancel();
    }

    /// Flushes replies, acknowledgements and publishes, then closes both connections, each step within a limit.
    pub(super) async fn close(&self) {
        tokio::select! {
            () = self.in_flight.idle() => {}
            () = self.over.cancelled() => {}
            () = time::sleep(CLOSE_LIMIT) => {}
        }
        time::sleep(SETTLE_BEFORE_CLOSE).await;
        self.consuming.close(CLOSE_LIMIT).await;
        self.publishing.close(CLOSE_LIMIT).await;
        self.kill();
    }
}
