//! Messages that are sent, until the broker has said what became of them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use tokio::time::Instant;

use super::{Ended, Span, SpanKind, Trace, observer::Observer, span::Subject};
use crate::{protocol::Message, transport};

/// What became of messages that were sent.
#[derive(Default)]
pub(crate) struct Published {
    /// The broker has them, and a queue each.
    pub(super) confirmed: AtomicU64,
    /// The broker took them, and no queue did.
    pub(super) unrouted: AtomicU64,
    /// They were refused, or nobody knows.
    pub(super) failed: AtomicU64,
}

impl Published {
    /// One is over.
    pub(crate) fn count(&self, published: Option<transport::Published>) {
        let counter = match published {
            Some(published) if published.routed => &self.confirmed,
            Some(_) => &self.unrouted,
            None => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// One message that is on its way. Dropped before the broker's word, it failed.
pub(crate) struct PublishWatch<'a> {
    observer: &'a Observer,
    trace: Option<Trace>,
    owner: &'static str,
    began: Instant,
    over: bool,
}

impl Observer {
    /// `owner` is the service that sends; `None`: the program does.
    pub(crate) fn publishes(
        &self,
        trace: Option<Trace>,
        owner: Option<&'static str>,
        began: Instant,
    ) -> PublishWatch<'_> {
        PublishWatch { observer: self, trace, owner: owner.unwrap_or(self.owner()), began, over: false }
    }
}

impl PublishWatch<'_> {
    /// The broker has said what became of it; `None`: it did not take it.
    pub(crate) fn end(mut self, message: &Message, published: Option<transport::Published>) {
        self.over = true;
        self.observer.published.count(published);
        let Some(trace) = self.trace.filter(|trace| trace.own.sampled) else { return };
        let duration = self.began.elapsed();
        self.observer.tracer().record(Span {
            owner: self.owner,
            context: trace.own,
            parent: trace.parent,
            kind: SpanKind::Producer,
            subject: Subject::Publish {
                exchange: message.exchange.clone(),
                routing_key: message.routing_key.clone(),
                message_id: message.properties.message_id.clone(),
            },
            ended: if published.is_some() { Ended::Ok } else { Ended::UnexpectedError },
            error: None,
            started: SystemTime::now().checked_sub(duration).unwrap_or(SystemTime::UNIX_EPOCH),
            duration,
            links: Vec::new(),
        });
    }
}

impl Drop for PublishWatch<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.observer.published.count(None);
        }
    }
}
