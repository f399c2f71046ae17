//! kinoko's side.

use std::sync::Arc;

use kinoko::{
    EventDispatcher,
    protocol::Name,
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
    events: EventDispatcher,
    source: Name,
}

impl Dispatcher {
    pub(crate) async fn connect(broker: &str, queue: QueueType) -> Result<Self, Failed> {
        Ok(Self { events: EventDispatcher::connect(broker).await?, source: source(queue).into() })
    }

    pub(crate) async fn load(&self, run: Load, payload: Payload) -> Result<Done, Failed> {
        let payload = Arc::new(payload);
        let (events, source) = (self.events.clone(), self.source.clone());
        load::run(run, Clock::EveryCall, move || {
            let dispatch = events.dispatch_to(source.clone(), "placed", &*payload);
            async move {
                let dispatched = dispatch.await?;
                if dispatched.routed { Ok(()) } else { Err("no queue took the event".into()) }
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
        let binding = Binding::new(exchange.name.clone(), name.clone(), "placed");
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
