//! The answering side.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    BasicProperties, Channel,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};
use tokio::{sync::Notify, time};

use super::{
    super::Path, Connections, METHOD, RPC_EXCHANGE, RPC_QUEUE, SERVICE, SHORT_QUEUE, SHORT_QUEUE_EXPIRES_MS, bind,
    declare_exchange, declare_queue, unix_ms,
};
use crate::{
    Failed,
    payload::{Codec, Payload, Reply, Request, echo},
};

/// kinoko's default, its setting `max_workers`.
const PREFETCH: u16 = 256;

pub(crate) struct Server {
    _connections: Connections,
}

struct Shared {
    replies: Channel,
    written: Mutex<Vec<Written>>,
    wake: Notify,
}

/// A reply that is on the socket, and the delivery that it answers.
struct Written {
    requests: Channel,
    tag: u64,
}

impl Server {
    pub(crate) async fn start(broker: &str) -> Result<Self, Failed> {
        let connections = Connections::open(broker, "twin server").await?;
        let declaring = connections.consuming.create_channel().await?;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        declare_exchange(&declaring).await?;
        declare_queue(&declaring, RPC_QUEUE, durable, None).await?;
        declare_queue(&declaring, SHORT_QUEUE, durable, Some(SHORT_QUEUE_EXPIRES_MS)).await?;
        bind(&declaring, RPC_QUEUE, &format!("{SERVICE}.*")).await?;

        let replies = connections.publishing.create_channel().await?;
        let shared = Arc::new(Shared { replies, written: Mutex::default(), wake: Notify::new() });
        tokio::spawn(shared.clone().settle());
        for (queue, path) in [(RPC_QUEUE, Path::Nameko), (SHORT_QUEUE, Path::Short)] {
            let requests = connections.consuming.create_channel().await?;
            requests.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            let mut consumer = requests.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
            let shared = shared.clone();
            tokio::spawn(async move {
                while let Some(Ok(delivery)) = consumer.next().await {
                    let (shared, requests) = (shared.clone(), requests.clone());
                    tokio::spawn(async move {
                        if let Err(error) = shared.serve(delivery, requests, path).await {
                            eprintln!("twin: {error}");
                        }
                    });
                }
            });
        }
        Ok(Self { _connections: connections })
    }
}

impl Shared {
    async fn serve(&self, delivery: Delivery, requests: Channel, path: Path) -> Result<(), Failed> {
        let properties = &delivery.properties;
        let content_type = properties.content_type().as_ref().map_or("", ShortString::as_str);
        let codec = Codec::of_content_type(content_type)?;
        let method = match (path, properties.kind()) {
            (Path::Short, Some(kind)) => kind.as_str(),
            _ => delivery.routing_key.as_str().split_once('.').map_or("", |(_, method)| method),
        };
        if method != METHOD {
            return Err(format!("no method {method}").into());
        }
        let request: Request<Payload> = codec.decode(&delivery.data)?;
        let body = match time::timeout(remaining(properties), echo(request.kwargs.payload)).await {
            Ok(result) => codec.encode(&Reply { result: Some(result), error: None })?,
            Err(_) => {
                requests.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
                return Ok(());
            }
        };
        if let Some(reply_to) = properties.reply_to() {
            let mut reply = BasicProperties::default()
                .with_content_type(codec.content_type().into())
                .with_content_encoding(codec.content_encoding().into());
            if let Some(id) = properties.correlation_id() {
                reply = reply.with_correlation_id(id.clone());
            }
            let exchange: ShortString = match path {
                Path::Short => "".into(),
                Path::Nameko => RPC_EXCHANGE.into(),
            };
            let options = BasicPublishOptions::default();
            drop(self.replies.basic_publish(exchange, reply_to.clone(), options, &body, reply).await?);
        }
        let written = Written { requests, tag: delivery.delivery_tag };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(written);
        self.wake.notify_one();
        Ok(())
    }

    /// Acknowledges what was answered, a batch for each round trip on the replies' channel: after it the broker has handled every
    /// reply that was written before.
    async fn settle(self: Arc<Self>) {
        loop {
            self.wake.notified().await;
            let batch = std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
            if let Err(error) = self.replies.basic_qos(0, BasicQosOptions::default()).await {
                return eprintln!("twin: {error}");
            }
            for Written { requests, tag } in batch {
                // Polled once: the frame is queued.
                let _ = requests.basic_ack(tag, BasicAckOptions::default()).now_or_never();
            }
        }
    }
}

/// What is left of the caller's time: its budget less the request's age.
fn remaining(properties: &BasicProperties) -> Duration {
    let budget = properties.expiration().as_ref().and_then(|ms| ms.as_str().parse().ok()).unwrap_or(u64::MAX);
    let age = properties.timestamp().map_or(0, |sent| unix_ms().saturating_sub(sent));
    Duration::from_millis(budget.saturating_sub(age))
}
