//! kinoko's side.

use std::sync::Arc;

use kinoko::{
    protocol::{Message, Properties},
    transport::{
        Binding, Consumer, Delivery, DeliverySink, Exchange, ExchangeKind, Queue, QueueKind, Topology, Transport,
        TransportOptions, connect,
    },
};

use super::{QueueType, peer::Handled};
use crate::{
    Failed,
    load::{self, Clock, Done, Load},
    payload::{Codec, Payload},
};

fn source(queue: QueueType) -> String {
    format!("bench_kinoko_{}", queue.name())
}

/// The queue that events of this kind wait in.
pub(crate) fn queue(queue: QueueType) -> String {
    let source = source(queue);
    format!("evt-{source}-placed--{source}.on_placed")
}

fn exchange(queue: QueueType) -> Exchange {
    Exchange::durable(format!("{}.events", source(queue)), ExchangeKind::Topic)
}

pub(crate) struct Dispatcher {
    transport: Arc<dyn Transport>,
    queue: QueueType,
}

impl Dispatcher {
    pub(crate) async fn connect(broker: &str, queue: QueueType) -> Result<Arc<Self>, Failed> {
        let transport = connect(broker, TransportOptions::default()).await?;
        transport.declare(Topology { exchanges: vec![exchange(queue)], ..Topology::default() }).await?;
        Ok(Arc::new(Self { transport, queue }))
    }

    pub(crate) async fn load(self: Arc<Self>, run: Load, payload: Payload) -> Result<Done, Failed> {
        let payload = Arc::new(payload);
        let exchange = exchange(self.queue).name;
        load::run(run, Clock::EveryCall, move || {
            let (dispatcher, payload, exchange) = (self.clone(), payload.clone(), exchange.clone());
            async move {
                let message = Message {
                    exchange,
                    routing_key: "placed".into(),
                    properties: Properties {
                        persistent: true,
                        content_type: Some("application/json".into()),
                        content_encoding: Some("utf-8".into()),
                        ..Properties::default()
                    },
                    body: Codec::Json.encode(&*payload)?.into(),
                };
                let published = dispatcher.transport.publish(message).await?;
                if published.routed { Ok(()) } else { Err("no queue took the event".into()) }
            }
        })
        .await
    }
}

pub(crate) struct Handler {
    transport: Arc<dyn Transport>,
    consumer: Arc<dyn Consumer>,
}

struct Sink(Arc<Handled>);

impl DeliverySink for Sink {
    fn deliver(&self, delivery: Delivery) {
        let handled = self.0.clone();
        tokio::spawn(async move {
            match Codec::Json.decode(&delivery.message().body) {
                Ok(payload) => {
                    handled.note(payload);
                    delivery.ack();
                }
                Err(error) => eprintln!("kinoko: {error}"),
            }
        });
    }

    fn lost(&self) {}
}

impl Handler {
    pub(crate) async fn start(broker: &str, kind: QueueType, handled: &Arc<Handled>) -> Result<Self, Failed> {
        let transport = connect(broker, TransportOptions::default()).await?;
        let exchange = exchange(kind);
        let mut declared = Queue::durable(queue(kind));
        if kind == QueueType::Quorum {
            declared.kind = QueueKind::Quorum;
            declared.arguments.set("x-delivery-limit", 1000);
            declared.arguments.set("x-dead-letter-exchange", "");
            declared.arguments.set("x-dead-letter-routing-key", format!("kinoko.dead-{}", queue(kind)));
        }
        let name = declared.name.clone();
        let binding = Binding { exchange: exchange.name.clone(), queue: name.clone(), routing_key: "placed".into() };
        let topology = Topology { exchanges: vec![exchange], queues: vec![declared], bindings: vec![binding] };
        transport.declare(topology).await?;
        let consumer = transport.consume(name, 256, Arc::new(Sink(handled.clone()))).await?;
        Ok(Self { transport, consumer })
    }

    pub(crate) async fn stop(self) -> Result<(), Failed> {
        self.consumer.cancel().await;
        self.transport.close().await;
        Ok(())
    }
}
