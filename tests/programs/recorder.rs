//! Handles the events of `faults_source`, which tests kill it at. What it has handled it writes to the file `LEDGER`, each before it
//! is acknowledged; every fiftieth fails at first, and is marked there by its highest bit.

use std::{fs::File, io::Write, sync::Arc};

use kinoko::{
    protocol::Message,
    transport::{
        Binding, Delivery, DeliverySink, Exchange, ExchangeKind, Queue, QueueKind, Topology, Transport,
        TransportOptions, connect,
    },
};

const QUEUE: &str = "evt-faults_source-happened--faults_recorder.note";

struct Recorder {
    ledger: File,
    transport: Arc<dyn Transport>,
}

impl Recorder {
    async fn handle(&self, delivery: Delivery) -> kinoko::Result<()> {
        let message = delivery.message();
        let id: u64 = String::from_utf8_lossy(&message.body).parse()?;
        let first = message.properties.headers.get("kinoko.attempt").is_none();
        let fails = id % 50 == 0 && first;
        (&self.ledger).write_all(&(id | u64::from(fails) << 63).to_le_bytes())?;
        if fails {
            let mut again = Message::clone(message);
            again.exchange = "".into();
            again.routing_key = QUEUE.into();
            again.properties.headers.set("kinoko.attempt", 2);
            self.transport.publish(again).await?;
        }
        delivery.ack();
        Ok(())
    }
}

struct Sink(Arc<Recorder>);

impl DeliverySink for Sink {
    fn deliver(&self, delivery: Delivery) {
        let recorder = self.0.clone();
        tokio::spawn(async move {
            if let Err(error) = recorder.handle(delivery).await {
                eprintln!("{error}");
            }
        });
    }

    fn lost(&self) {}
}

#[tokio::main]
async fn main() -> kinoko::Result<()> {
    let ledger = File::options().create(true).append(true).open(std::env::var("LEDGER")?)?;
    let transport = connect(&std::env::var("KINOKO_AMQP_URI")?, TransportOptions::default()).await?;
    let exchange = Exchange::durable("faults_source.events", ExchangeKind::Topic);
    let queue = Queue { kind: QueueKind::Quorum, ..Queue::durable(QUEUE) };
    let binding = Binding::new(exchange.name.clone(), queue.name.clone(), "happened");
    transport.declare(Topology { exchanges: vec![exchange], queues: vec![queue], bindings: vec![binding] }).await?;
    let recorder = Recorder { ledger, transport: transport.clone() };
    let _consumer = transport.consume(QUEUE.into(), 256, Arc::new(Sink(recorder.into()))).await?;
    eprintln!("service started");
    std::future::pending().await
}
