use std::{fmt, time::Duration};

use lapin::{
    Channel, ExchangeKind as LapinKind,
    options::{ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    convert::{short, table},
    failure::Failure,
};
use crate::{
    protocol::{Headers, Name},
    transport::{Binding, Exchange, ExchangeKind, Queue, QueueKind, Topology},
};

/// One thing that is declared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Exchange(Exchange),
    Queue(Queue),
    Binding(Binding),
    /// From one exchange to another, by headers.
    Forward {
        from: Name,
        to: Name,
        arguments: Headers,
    },
}

/// What is written to the broker for an item. Made before anything is sent, so that what cannot be sent harms no channel.
pub(super) enum Declaration {
    Exchange(ShortString, LapinKind, ExchangeDeclareOptions),
    Queue(ShortString, QueueDeclareOptions, FieldTable),
    Binding { exchange: ShortString, queue: ShortString, key: ShortString, arguments: FieldTable },
    Forward { from: ShortString, to: ShortString, arguments: FieldTable },
}

/// Exchanges first, bindings last.
pub(super) fn items(topology: &Topology) -> Vec<Item> {
    let exchanges = topology.exchanges.iter().cloned().map(Item::Exchange);
    let queues = topology.queues.iter().cloned().map(Item::Queue);
    let bindings = topology.bindings.iter().cloned().map(Item::Binding);
    exchanges.chain(queues).chain(bindings).collect()
}

impl Item {
    /// What declares it; `as_it_is`: only asks whether it is there, with whatever arguments.
    pub(super) fn declaration(&self, as_it_is: bool) -> Result<Declaration, Failure> {
        Ok(match self {
            Self::Exchange(exchange) => {
                let kind = match exchange.kind {
                    ExchangeKind::Direct => LapinKind::Direct,
                    ExchangeKind::Topic => LapinKind::Topic,
                    ExchangeKind::Fanout => LapinKind::Fanout,
                    ExchangeKind::Headers => LapinKind::Headers,
                };
                let options = ExchangeDeclareOptions {
                    passive: as_it_is,
                    durable: exchange.durable,
                    auto_delete: exchange.auto_delete,
                    ..ExchangeDeclareOptions::default()
                };
                Declaration::Exchange(short("exchange", &exchange.name)?, kind, options)
            }
            Self::Queue(queue) => {
                let options = QueueDeclareOptions {
                    passive: as_it_is,
                    durable: queue.durable,
                    exclusive: queue.exclusive,
                    auto_delete: queue.auto_delete,
                    ..QueueDeclareOptions::default()
                };
                Declaration::Queue(short("queue", &queue.name)?, options, queue_arguments(queue)?)
            }
            Self::Binding(binding) => Declaration::Binding {
                exchange: short("exchange", &binding.exchange)?,
                queue: short("queue", &binding.queue)?,
                key: short("routing key", &binding.routing_key)?,
                arguments: table(&binding.arguments)?,
            },
            Self::Forward { from, to, arguments } => Declaration::Forward {
                from: short("exchange", from)?,
                to: short("exchange", to)?,
                arguments: table(arguments)?,
            },
        })
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(exchange) => write!(f, "exchange `{}`", exchange.name),
            Self::Queue(queue) => write!(f, "queue `{}`", queue.name),
            Self::Binding(binding) => write!(f, "binding of queue `{}` to `{}`", binding.queue, binding.exchange),
            Self::Forward { from, to, .. } => write!(f, "binding of exchange `{to}` to `{from}`"),
        }
    }
}

impl Declaration {
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Exchange(..) => "declare an exchange",
            Self::Queue(..) => "declare a queue",
            Self::Binding { .. } => "bind a queue",
            Self::Forward { .. } => "bind an exchange",
        }
    }

    /// Sent with the first poll.
    pub(super) async fn send(self, channel: Channel) -> lapin::Result<()> {
        let no_arguments = FieldTable::default;
        match self {
            Self::Exchange(name, kind, options) => channel.exchange_declare(name, kind, options, no_arguments()).await,
            Self::Queue(name, options, arguments) => channel.queue_declare(name, options, arguments).await.map(drop),
            Self::Binding { exchange, queue, key, arguments } => {
                channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), arguments).await
            }
            Self::Forward { from, to, arguments } => {
                let (key, options) = (ShortString::default(), ExchangeBindOptions::default());
                channel.exchange_bind(to, from, key, options, arguments).await
            }
        }
    }
}

fn queue_arguments(queue: &Queue) -> Result<FieldTable, Failure> {
    let mut arguments = table(&queue.arguments)?;
    match queue.kind {
        // What Nameko declares says nothing of a type.
        QueueKind::Classic => {}
        QueueKind::Quorum => {
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        }
    }
    if queue.single_active_consumer {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }
    if let Some(after) = queue.expires {
        arguments.insert("x-expires".into(), expires(after));
    }
    Ok(arguments)
}

/// RabbitMQ takes 1 ms and more, and at most 32 bits of them.
fn expires(after: Duration) -> AMQPValue {
    let ms = after.as_millis().clamp(1, u128::from(u32::MAX));
    match i32::try_from(ms) {
        Ok(ms) => AMQPValue::LongInt(ms),
        Err(_) => AMQPValue::LongLongInt(ms as i64),
    }
}
