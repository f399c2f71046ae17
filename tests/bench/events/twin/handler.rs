//! The handling side: a task for each event, which is acknowledged after it.

use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection, ConnectionProperties,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};

use super::{Names, declare_exchange, declare_queue};
use crate::{
    Failed,
    events::{QueueType, peer::HANDLED},
    payload::{Codec, Payload},
};

/// kinoko's default, its setting `max_workers`.
const PREFETCH: u16 = 256;

pub(crate) struct Handler {
    connection: Connection,
    channel: Channel,
    consumer: ShortString,
}

impl Handler {
    pub(crate) async fn start(broker: &str, queue: QueueType) -> Result<Self, Failed> {
        let connection =
            Connection::connect(broker, ConnectionProperties::default().with_connection_name("twin".into())).await?;
        let channel = connection.create_channel().await?;
        let names = Names::of(queue);
        declare_exchange(&channel, &names).await?;
        declare_queue(&channel, &names, queue).await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let mut consumer = channel.basic_consume(names.queue, "".into(), options, FieldTable::default()).await?;
        let handler = Self { connection, channel, consumer: consumer.tag() };
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                tokio::spawn(async move {
                    match handle(&delivery) {
                        // Polled once: the frame is queued.
                        Ok(()) => drop(delivery.ack(BasicAckOptions::default()).now_or_never()),
                        Err(error) => eprintln!("twin: {error}"),
                    }
                });
            }
        });
        Ok(handler)
    }

    pub(crate) async fn stop(self) -> Result<(), Failed> {
        self.channel.basic_cancel(self.consumer, Default::default()).await?;
        // A quorum queue's channel may hold acknowledgements back for a moment, and forget them with its close.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Ok(self.connection.close(200, "".into()).await?)
    }
}

fn handle(delivery: &Delivery) -> Result<(), Failed> {
    let content_type = delivery.properties.content_type().as_ref().map_or("", ShortString::as_str);
    let payload: Payload = Codec::of_content_type(content_type)?.decode(&delivery.data)?;
    HANDLED.note(payload);
    Ok(())
}
