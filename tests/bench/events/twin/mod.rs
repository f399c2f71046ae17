//! The raw twin: the same promises as kinoko's events, written by hand on lapin, as well as one can.
//!
//! Events are persistent, mandatory and confirmed, pipelined by one task that owns the channel; a handler runs in a task of its own for
//! each event, which is acknowledged after it. Exchange, queue and properties are kinoko's.

mod dispatcher;
mod handler;

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

pub(crate) use self::{dispatcher::Dispatcher, handler::Handler};
use super::QueueType;
use crate::Failed;

const EVENT: &str = "placed";

/// Names of the events that one kind of queue keeps.
struct Names {
    exchange: ShortString,
    queue: ShortString,
    dead: String,
}

impl Names {
    fn of(queue: QueueType) -> Self {
        let source = format!("bench_twin_{}", queue.name());
        let queue = format!("evt-{source}-{EVENT}--{source}.on_placed");
        Self { exchange: format!("{source}.events").into(), dead: format!("kinoko.dead-{queue}"), queue: queue.into() }
    }
}

/// The queue that events of this kind wait in.
pub(crate) fn queue(queue: QueueType) -> String {
    Names::of(queue).queue.to_string()
}

async fn declare_exchange(channel: &Channel, names: &Names) -> Result<(), Failed> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare(names.exchange.clone(), ExchangeKind::Topic, options, FieldTable::default());
    Ok(declared.await?)
}

/// As kinoko declares it.
async fn declare_queue(channel: &Channel, names: &Names, queue: QueueType) -> Result<(), Failed> {
    let mut arguments = FieldTable::default();
    if queue == QueueType::Quorum {
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(1000));
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(names.dead.clone().into()));
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(names.queue.clone(), options, arguments).await?;
    let options = QueueBindOptions::default();
    let (exchange, queue) = (names.exchange.clone(), names.queue.clone());
    Ok(channel.queue_bind(queue, exchange, EVENT.into(), options, FieldTable::default()).await?)
}
