//! The plainest echo over the default exchange: no codec, no deadline, no promises beyond a reply written before its request is
//! acknowledged. What kinoko's semantics cost as a whole is the way from here to the twin.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt, StreamExt};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    Failed,
    load::{self, Clock, Done, Load},
};

pub(crate) const QUEUE: &str = "bench_plain";

pub(crate) struct Server {
    _connection: Connection,
}

pub(crate) struct Client {
    _connection: Connection,
    channel: Channel,
    reply_to: ShortString,
    pending: Arc<Mutex<HashMap<Uuid, oneshot::Sender<Vec<u8>>>>>,
}

impl Server {
    pub(crate) async fn start(broker: &str) -> Result<Self, Failed> {
        let connection = Connection::connect(broker, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await?;
        channel.basic_qos(256, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let mut consumer = channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                let channel = channel.clone();
                tokio::spawn(async move {
                    let properties = &delivery.properties;
                    let (Some(reply_to), Some(id)) = (properties.reply_to(), properties.correlation_id()) else {
                        return;
                    };
                    let reply = BasicProperties::default().with_correlation_id(id.clone());
                    let options = BasicPublishOptions::default();
                    let written =
                        channel.basic_publish("".into(), reply_to.clone(), options, &delivery.data, reply).await;
                    match written {
                        Ok(_) => drop(delivery.ack(BasicAckOptions::default()).now_or_never()),
                        Err(error) => eprintln!("plain: {error}"),
                    }
                });
            }
        });
        Ok(Self { _connection: connection })
    }
}

impl Client {
    pub(crate) async fn connect(broker: &str) -> Result<Arc<Self>, Failed> {
        let connection = Connection::connect(broker, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let reply_to: ShortString = format!("bench_plain.replies-{}", Uuid::new_v4()).into();
        channel.queue_declare(reply_to.clone(), options, FieldTable::default()).await?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let mut consumer = channel.basic_consume(reply_to.clone(), "".into(), options, FieldTable::default()).await?;
        let client = Arc::new(Self { _connection: connection, channel, reply_to, pending: Arc::default() });
        let pending = client.pending.clone();
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                let id = delivery.properties.correlation_id().as_ref().and_then(|id| Uuid::try_parse(id.as_str()).ok());
                let call = id.and_then(|id| pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&id));
                if let Some(call) = call {
                    let _ = call.send(delivery.data);
                }
            }
        });
        Ok(client)
    }

    pub(crate) async fn load(self: Arc<Self>, run: Load) -> Result<Done, Failed> {
        let body: Arc<[u8]> = vec![b'x'; run.bytes].into();
        load::run(run, Clock::EveryCall, move || {
            let (client, body) = (self.clone(), body.clone());
            async move { client.call(&body).await.map(drop) }
        })
        .await
    }

    async fn call(&self, body: &[u8]) -> Result<Vec<u8>, Failed> {
        let id = Uuid::new_v4();
        let (sender, reply) = oneshot::channel();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let properties =
            BasicProperties::default().with_correlation_id(id.to_string().into()).with_reply_to(self.reply_to.clone());
        let options = BasicPublishOptions::default();
        drop(self.channel.basic_publish("".into(), QUEUE.into(), options, body, properties).await?);
        Ok(reply.await?)
    }
}
