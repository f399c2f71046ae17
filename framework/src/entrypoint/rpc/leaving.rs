//! The last instance on a service's short path leaves, and others serve it on Nameko's: what was sent to it must not wait for nobody.
//!
//! Its queue would stay for a while, and take what kinoko's clients go on to send. So it is emptied into Nameko's queue and removed;
//! from then on a request to it comes back to its client, which takes Nameko's path. Without others everything stays as it is, for
//! the instance that starts next.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{RpcEntrypoint, written};
use crate::{
    Result,
    codec::{Codecs, Format},
    protocol::{Message, Name, context_data, names},
    task::Tasks,
    transport::{Consumer, Delivery, DeliverySink, Transport},
};

/// How long the broker may take for all of it. What is left then stays in the queue.
const LIMIT: Duration = Duration::from_secs(2);

/// Hands over what comes to the queue of the short path while the last workers finish.
pub(crate) struct Leaving {
    transport: Arc<dyn Transport>,
    queue: Name,
    sink: Arc<HandOver>,
    consumer: Arc<dyn Consumer>,
}

impl RpcEntrypoint {
    /// To be called when this container consumes nothing any more. `None`: there is nothing to hand over, or nobody to hand it to.
    pub(crate) async fn leave(&self) -> Option<Leaving> {
        if self.nameko_wire {
            return None;
        }
        let transport = self.shared.transport.get()?.upgrade()?;
        let left = tokio::time::timeout(LIMIT, self.begin(transport)).await;
        left.ok()?.unwrap_or_else(|error| {
            tracing::debug!(error = error.chain(), "the queue of the short path stays");
            None
        })
    }

    async fn begin(&self, transport: Arc<dyn Transport>) -> Result<Option<Leaving>> {
        let service = self.shared.descriptor.name;
        let queue = names::short_queue(service);
        let short = transport.queue_status(&queue).await?;
        let nameko = transport.queue_status(&names::rpc_queue(service)).await?;
        if short.is_none_or(|short| short.consumers > 0) || nameko.is_none_or(|nameko| nameko.consumers == 0) {
            return Ok(None);
        }
        let sink = Arc::new(HandOver {
            service,
            exchange: self.shared.settings.rpc_exchange.clone(),
            codecs: self.shared.codecs.clone(),
            tasks: Tasks::new(),
            kept: Mutex::default(),
        });
        let consumer = transport.consume(queue.clone(), PREFETCH, sink.clone()).await?;
        Ok(Some(Leaving { transport, queue, sink, consumer }))
    }
}

/// How many are handed over at once.
const PREFETCH: u16 = 100;

impl Leaving {
    /// Hands over the rest and removes the queue.
    pub(crate) async fn finish(self) {
        let queue = self.queue.clone();
        match tokio::time::timeout(LIMIT, self.remove()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%queue, error = error.chain(), "the queue of the short path stays"),
            Err(_) => tracing::debug!(%queue, "the queue of the short path stays: the broker takes too long"),
        }
    }

    async fn remove(mut self) -> Result<()> {
        loop {
            self.consumer.cancel().await;
            self.sink.tasks.join().await;
            let kept = std::mem::take(&mut *self.sink.kept.lock().unwrap_or_else(PoisonError::into_inner));
            if !kept.is_empty() {
                tracing::warn!(
                    queue = %self.queue, requests = kept.len(),
                    "requests stay in the queue of the short path: they have no form in JSON, which Nameko's instances read"
                );
                return Ok(());
            }
            if self.transport.remove_queue(&self.queue).await? {
                return Ok(());
            }
            match self.transport.queue_status(&self.queue).await? {
                // Another instance came, or leaves at the same time and has yet to look: the queue is its own now.
                Some(status) if status.consumers > 0 => return Ok(()),
                None => return Ok(()),
                // Something came at the last moment.
                Some(_) => {
                    self.consumer = self.transport.consume(self.queue.clone(), PREFETCH, self.sink.clone()).await?;
                }
            }
        }
    }
}

struct HandOver {
    service: &'static str,
    exchange: Name,
    codecs: Arc<Codecs>,
    tasks: Tasks,
    /// What cannot be handed over: put back at the end, as it would come again at once.
    kept: Mutex<Vec<Delivery>>,
}

impl DeliverySink for HandOver {
    fn deliver(&self, delivery: Delivery) {
        match self.on_namekos_path(delivery.message(), delivery.waited()) {
            // Published before it is acknowledged, as a reply is.
            Some(message) => self.tasks.spawn(written(delivery.reply(message))),
            None => self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(delivery),
        }
    }

    fn lost(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl HandOver {
    /// The same request as its client would have sent it on Nameko's path.
    fn on_namekos_path(&self, request: &Message, waited: Duration) -> Option<Message> {
        let mut properties = request.properties.clone();
        let method = properties.kind.take()?;
        let format = self.codecs.by_content_type(properties.content_type.as_deref()?)?;
        let body = match format {
            Format::Json => request.body.clone(),
            other => other.transcode(&request.body, &Format::Json).ok()?,
        };
        properties.content_type = Some(Format::Json.content_type());
        properties.content_encoding = Some(Format::Json.content_encoding());
        let now = context_data::unix_ms();
        properties.expiration = context_data::remaining_budget(&properties, now, waited);
        properties.timestamp_ms = Some(now);
        let stack = context_data::parent_call_ids(&request.properties, true);
        properties.app_id = None;
        context_data::unfold_token(&mut properties);
        context_data::write_stack(&mut properties, stack, false);
        let routing_key = names::rpc_routing_key(self.service, &method);
        Some(Message { exchange: self.exchange.clone(), routing_key, properties, body })
    }
}
