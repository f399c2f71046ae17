//! The calling side.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    BasicProperties, Channel,
    message::Delivery,
    options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::{
    sync::{Notify, oneshot},
    time,
};
use uuid::Uuid;

use super::{
    super::Path, Connections, METHOD, RPC_EXCHANGE, SERVICE, SHORT_QUEUE, bind, declare_exchange, declare_queue,
    unix_ms,
};
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
    payload::{Arguments, Codec, Payload, Reply, Request},
};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    connections: Connections,
    requests: Channel,
    reply_to: ShortString,
    pending: Arc<Pending>,
    codec: Codec,
    id: Uuid,
}

/// The calls that wait for a reply, by correlation id.
#[derive(Default)]
struct Pending {
    calls: Mutex<HashMap<Uuid, oneshot::Sender<Answer>>>,
    made: AtomicU64,
    parked: AtomicBool,
    begun: Notify,
}

enum Answer {
    Reply(Delivery),
    /// No queue took the request.
    Returned,
}

impl Client {
    pub(crate) async fn connect(broker: &str, codec: Codec) -> Result<Arc<Self>, Failed> {
        let connections = Connections::open(broker, "twin client").await?;
        let replies = connections.consuming.create_channel().await?;
        let reply_to = format!("rpc.reply-bench-{}", Uuid::new_v4());
        declare_exchange(&replies).await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        declare_queue(&replies, &reply_to, options, None).await?;
        bind(&replies, &reply_to, &reply_to).await?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let mut consumer =
            replies.basic_consume(reply_to.as_str().into(), "".into(), options, FieldTable::default()).await?;
        let requests = connections.publishing.create_channel().await?;
        let pending = Arc::new(Pending::default());

        let answered = pending.clone();
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                let id = delivery.properties.correlation_id().as_ref().and_then(|id| Uuid::try_parse(id.as_str()).ok());
                if let Some(call) = id.and_then(|id| answered.take(id)) {
                    let _ = call.send(Answer::Reply(delivery));
                }
            }
        });
        tokio::spawn(pending.clone().drain(requests.clone()));
        let reply_to = reply_to.as_str().into();
        Ok(Arc::new(Self { connections, requests, reply_to, pending, codec, id: Uuid::new_v4() }))
    }

    pub(crate) async fn load(self: Arc<Self>, path: Path, run: Load, payload: Payload) -> Result<Done, Failed> {
        let payload = Arc::new(payload);
        load::run(run, Clock::EveryCall, move || {
            let (client, payload, sent) = (self.clone(), payload.clone(), (*payload).clone());
            async move {
                let echoed = client.call(path, &sent).await?;
                if echoed == *payload { Ok(()) } else { Err("the echo differs".into()) }
            }
        })
        .await
    }

    async fn call(&self, path: Path, payload: &Payload) -> Result<Payload, Failed> {
        let body = self.codec.encode(&Request { args: [], kwargs: Arguments { payload } })?;
        let id = Uuid::new_v4();
        let mut waiting = self.pending.add(id);
        let mut properties = BasicProperties::default()
            .with_content_type(self.codec.content_type().into())
            .with_content_encoding(self.codec.content_encoding().into())
            .with_correlation_id(id.to_string().into())
            .with_reply_to(self.reply_to.clone())
            .with_expiration(TIMEOUT.as_millis().to_string().into())
            .with_timestamp(unix_ms());
        let (exchange, key): (ShortString, ShortString) = match path {
            Path::Short => {
                properties = properties.with_type(METHOD.into());
                ("".into(), SHORT_QUEUE.into())
            }
            Path::Nameko => {
                let call_id = format!("standalone_rpc_client.{}.{}", self.id, Uuid::new_v4());
                let mut headers = FieldTable::default();
                let stack = vec![AMQPValue::LongString(call_id.into())];
                headers.insert("nameko.call_id_stack".into(), AMQPValue::FieldArray(stack.into()));
                properties = properties.with_headers(headers);
                (RPC_EXCHANGE.into(), format!("{SERVICE}.{METHOD}").into())
            }
        };
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let answer = time::timeout(TIMEOUT, async {
            drop(self.requests.basic_publish(exchange, key, options, &body, properties).await?);
            Ok::<_, Failed>((&mut waiting.answer).await?)
        });
        match answer.await?? {
            Answer::Reply(delivery) => {
                let content_type = delivery.properties.content_type().as_ref().map_or("", ShortString::as_str);
                let reply: Reply<Payload> = Codec::of_content_type(content_type)?.decode(&delivery.data)?;
                match reply {
                    Reply { result: Some(result), error: None } => Ok(result),
                    Reply { error, .. } => Err(error.unwrap_or_default().into()),
                }
            }
            Answer::Returned => Err("unknown service".into()),
        }
    }

    /// Messages and consumers of a queue.
    pub(crate) async fn queue(&self, name: &str) -> Result<String, Failed> {
        let channel = self.connections.consuming.create_channel().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(name.into(), options, FieldTable::default()).await?;
        Ok(format!("{} {}", queue.message_count(), queue.consumer_count()))
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<String, Failed> {
        let channel = self.connections.consuming.create_channel().await?;
        Ok(channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?.to_string())
    }
}

/// A call's place in the table, given back when dropped.
struct Waiting<'a> {
    pending: &'a Pending,
    id: Uuid,
    answer: oneshot::Receiver<Answer>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.pending.take(self.id);
    }
}

/// Looks for returned requests at this pace at first, then more slowly, until no call was made for a second.
const FIRST_LOOKS: (u32, Duration) = (10, Duration::from_millis(1));
const LATER_LOOKS: (u32, Duration) = (200, Duration::from_millis(5));

impl Pending {
    fn add(&self, id: Uuid) -> Waiting<'_> {
        let (sender, answer) = oneshot::channel();
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        self.made.fetch_add(1, Ordering::Relaxed);
        if self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::AcqRel) {
            self.begun.notify_one();
        }
        Waiting { pending: self, id, answer }
    }

    fn take(&self, id: Uuid) -> Option<oneshot::Sender<Answer>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    /// Hands over the requests that came back. On a channel without confirms lapin gathers them, and this waits for nothing.
    async fn drain(self: Arc<Self>, requests: Channel) {
        loop {
            self.parked.store(true, Ordering::Release);
            self.begun.notified().await;
            let (mut seen, mut quiet, mut looks) = (0, 0, 0);
            while quiet < LATER_LOOKS.0 {
                time::sleep(if looks < FIRST_LOOKS.0 { FIRST_LOOKS.1 } else { LATER_LOOKS.1 }).await;
                looks += 1;
                let made = self.made.load(Ordering::Relaxed);
                quiet = if made == seen { quiet + 1 } else { 0 };
                seen = made;
                for returned in requests.wait_for_confirms().now_or_never().and_then(Result::ok).unwrap_or_default() {
                    let id = returned.delivery.properties.correlation_id().as_ref();
                    let id = id.and_then(|id| Uuid::try_parse(id.as_str()).ok());
                    if let Some(call) = id.and_then(|id| self.take(id)) {
                        let _ = call.send(Answer::Returned);
                    }
                }
            }
        }
    }
}
