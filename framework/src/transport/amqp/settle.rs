use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use lapin::{
    Channel,
    options::{BasicAckOptions, BasicNackOptions, BasicQosOptions, ChannelFlowOptions},
};
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::link::Link;
use crate::{
    Error, ErrorKind, Result,
    protocol::Message,
    transport::{Publishing, Settler},
};

/// Settles the deliveries of one consumer of one incarnation. A tag never meets another channel than its own.
#[derive(Clone)]
pub(super) struct ChannelSettler(Arc<Inner>);

struct Inner {
    channel: Channel,
    link: Arc<Link>,
}

impl ChannelSettler {
    pub(super) fn new(channel: Channel, link: Arc<Link>) -> Self {
        Self(Arc::new(Inner { channel, link }))
    }

    // Polled once the frame is queued; whether it was written is of no use to anybody. On a channel that is gone it fails by itself.
    fn queue_ack(&self, tag: u64) {
        let _ = self.0.channel.basic_ack(tag, BasicAckOptions::default()).now_or_never();
    }

    fn queue_nack(&self, tag: u64) {
        let options = BasicNackOptions { multiple: false, requeue: true };
        let _ = self.0.channel.basic_nack(tag, options).now_or_never();
    }
}

impl Settler for ChannelSettler {
    fn ack(&self, tag: u64) {
        self.queue_ack(tag);
    }

    fn ack_and_wait(&self, tag: u64) -> Publishing {
        self.queue_ack(tag);
        let inner = self.0.clone();
        Publishing::Writing(Box::pin(async move {
            // A question that changes nothing: its answer comes after all that the channel was told before.
            let question = inner.channel.channel_flow(ChannelFlowOptions { active: true });
            inner.link.ask("acknowledge a message", question).await.map(drop).map_err(Into::into)
        }))
    }

    fn requeue(&self, tag: u64, _message: Arc<Message>) {
        self.queue_nack(tag);
    }

    fn reply(&self, tag: u64, reply: Message) -> Publishing {
        // Made outside of the future: dropped before its first poll, the delivery still goes back.
        let ticket = Ticket::new(self.clone(), tag);
        Publishing::Writing(Box::pin(async move { ticket.reply(&reply).await }))
    }
}

/// A delivery whose reply is being written.
struct Ticket {
    settler: ChannelSettler,
    tag: u64,
    settled: bool,
}

impl Ticket {
    fn new(settler: ChannelSettler, tag: u64) -> Self {
        settler.0.link.in_flight().begin();
        Self { settler, tag, settled: false }
    }

    async fn reply(mut self, reply: &Message) -> Result<()> {
        let link = self.settler.0.link.clone();
        link.writable().await?;
        let channel = link.replies().current();
        if !link.publish(&channel, reply, None, false).await? {
            return Err(Error::new(ErrorKind::Unavailable, "the connection was lost while the reply was written"));
        }
        self.settled = true;
        link.replies().written(Written { settler: self.settler.clone(), tag: self.tag, channel });
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.settler.queue_nack(self.tag);
            self.settler.0.link.in_flight().end(1);
        }
    }
}

/// A reply that is on the socket, and the delivery it answers.
struct Written {
    settler: ChannelSettler,
    tag: u64,
    channel: Arc<Channel>,
}

/// The channel that replies leave by, and the written replies whose deliveries wait for the broker to have them.
pub(super) struct Replies {
    channel: Mutex<Arc<Channel>>,
    pending: Mutex<Vec<Written>>,
    wake: Notify,
}

impl Replies {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel: Mutex::new(Arc::new(channel)), pending: Mutex::default(), wake: Notify::new() }
    }

    fn current(&self) -> Arc<Channel> {
        lock(&self.channel).clone()
    }

    fn written(&self, written: Written) {
        lock(&self.pending).push(written);
        self.wake.notify_one();
    }

    /// Acknowledges what was answered, in batches: written replies gather while one round trip on their channel is under way,
    /// after which the broker has handled every reply before it. So it never has an acknowledgement without the reply.
    pub(super) async fn settle(&self, link: &Link) {
        let mut faults = link.faults();
        loop {
            tokio::select! {
                biased;
                () = link.over().cancelled() => return,
                () = self.wake.notified() => {}
                _ = faults.changed() => {}
            }
            self.reopen(link).await;
            let mut batch = std::mem::take(&mut *lock(&self.pending));
            while let Some(first) = batch.first() {
                let channel = first.channel.clone();
                let is_same = |written: &Written| Arc::ptr_eq(&written.channel, &channel);
                // Nearly always there is one channel only.
                let (same, others) = match batch.iter().all(is_same) {
                    true => (batch, Vec::new()),
                    false => batch.into_iter().partition(is_same),
                };
                batch = others;
                self.settle_batch(link, &channel, same).await;
            }
        }
    }

    /// A reply to an exchange that does not exist closes the channel, for all who share it.
    async fn reopen(&self, link: &Link) {
        if self.current().status().connected() || link.is_over() {
            return;
        }
        match link.publishing_channel().await {
            Ok(channel) => {
                warn!("the broker closed the channel that replies leave by, opened another one");
                *lock(&self.channel) = Arc::new(channel);
            }
            Err(failure) => debug!(%failure, "could not reopen the channel that replies leave by"),
        }
    }

    async fn settle_batch(&self, link: &Link, channel: &Channel, batch: Vec<Written>) {
        // No limit of its own: an alarm may hold it back for long, and the link's probe notices everything else.
        let handled = tokio::select! {
            biased;
            handled = channel.basic_qos(0, BasicQosOptions::default()) => handled,
            () = link.over().cancelled() => return,
        };
        match handled {
            Ok(()) => batch.iter().for_each(|written| written.settler.queue_ack(written.tag)),
            // Some of them may have been sent: answering twice beats not answering.
            Err(_) => batch.iter().for_each(|written| written.settler.queue_nack(written.tag)),
        }
        link.in_flight().end(batch.len());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
