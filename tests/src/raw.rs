use std::time::Duration;

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
        QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};

use crate::eventually;

/// A client that knows nothing of kinoko: another program, or the operator of the broker.
#[derive(Debug)]
pub struct Raw {
    _connection: Connection,
    channel: Channel,
}

impl Raw {
    /// Connects.
    ///
    /// # Panics
    ///
    /// When the broker is away.
    pub async fn connect(uri: &str) -> Self {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await.expect("the broker is there");
        let channel = connection.create_channel().await.expect("a new connection has channels");
        Self { _connection: connection, channel }
    }

    /// Declares a durable queue with these arguments.
    pub async fn declare_queue(&self, name: &str, arguments: &[(&str, AMQPValue)]) {
        let mut table = FieldTable::default();
        for (key, value) in arguments {
            table.insert((*key).into(), value.clone());
        }
        self.channel.queue_declare(name.into(), QueueDeclareOptions::durable(), table).await.expect("a new queue");
    }

    /// Publishes through the default exchange.
    pub async fn publish(&self, queue: &str, body: &[u8], properties: BasicProperties) {
        let options = BasicPublishOptions::default();
        self.channel.basic_publish("".into(), queue.into(), options, body, properties).await.expect("publishing works");
    }

    /// Publishes through an exchange, and waits until the broker has it. Says whether a queue took it.
    pub async fn publish_to(
        &self,
        exchange: &str,
        routing_key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> bool {
        self.channel.confirm_select(ConfirmSelectOptions::default()).await.expect("RabbitMQ confirms");
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let published = self.channel.basic_publish(exchange.into(), routing_key.into(), options, body, properties);
        let confirmed = published.await.expect("publishing works").await.expect("the broker confirms");
        confirmed.take_message().is_none()
    }

    /// Declares a queue that goes with this client, bound to an exchange.
    pub async fn bound_queue(&self, name: &str, exchange: &str, routing_key: &str) {
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(name.into(), options, FieldTable::default()).await.expect("a new queue");
        self.bind(name, exchange, routing_key).await;
    }

    /// Binds a queue to an exchange.
    pub async fn bind(&self, queue: &str, exchange: &str, routing_key: &str) {
        let (options, table) = (QueueBindOptions::default(), FieldTable::default());
        let bound = self.channel.queue_bind(queue.into(), exchange.into(), routing_key.into(), options, table);
        bound.await.expect("the exchange is there");
    }

    /// The next message of a queue, which must come soon.
    pub async fn next(&self, queue: &str) -> (BasicProperties, Vec<u8>) {
        let options = BasicGetOptions { no_ack: true };
        let got = eventually(Duration::from_secs(20), "a message", || async {
            self.channel.basic_get(queue.into(), options).await.expect("the queue is there")
        });
        let delivery = got.await.delivery;
        (delivery.properties, delivery.data)
    }

    /// Whether nothing is in a queue that could be delivered; takes it, if there is.
    pub async fn is_empty(&self, queue: &str) -> bool {
        let got = self.channel.basic_get(queue.into(), BasicGetOptions { no_ack: true });
        got.await.expect("the queue is there").is_none()
    }

    /// Removes a binding of a queue, if there is one.
    pub async fn unbind(&self, queue: &str, exchange: &str, routing_key: &str) {
        let unbound =
            self.channel.queue_unbind(queue.into(), exchange.into(), routing_key.into(), FieldTable::default());
        unbound.await.expect("unbinding works");
    }

    /// Declares a durable exchange.
    pub async fn declare_exchange(&self, name: &str, kind: ExchangeKind) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        declared.await.expect("a new exchange");
    }

    /// Deletes a queue, if there is one.
    pub async fn delete_queue(&self, name: &str) {
        self.channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.expect("deleting works");
    }

    /// Deletes an exchange, if there is one.
    pub async fn delete_exchange(&self, name: &str) {
        self.channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await.expect("deleting works");
    }
}
