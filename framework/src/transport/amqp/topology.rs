use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lapin::{
    Channel, ExchangeKind as LapinKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use tracing::warn;

use super::{
    convert::{short, table},
    failure::{Failure, NOT_FOUND, PRECONDITION_FAILED},
    link::Link,
};
use crate::{
    protocol::Name,
    transport::{Binding, Exchange, ExchangeKind, Queue, QueueKind, QueueStatus, Topology},
};

/// Everything that was declared, to be declared again with each connection.
#[derive(Default)]
pub(super) struct Registry {
    topology: Mutex<Topology>,
    adopted: Mutex<HashSet<Name>>,
}

impl Registry {
    pub(super) fn add(&self, topology: &Topology) {
        let mut known = self.topology.lock().unwrap_or_else(PoisonError::into_inner);
        for exchange in &topology.exchanges {
            if !known.exchanges.contains(exchange) {
                known.exchanges.push(exchange.clone());
            }
        }
        for queue in &topology.queues {
            match known.queues.iter_mut().find(|other| other.name == queue.name) {
                Some(other) => *other = queue.clone(),
                None => known.queues.push(queue.clone()),
            }
        }
        for binding in &topology.bindings {
            if !known.bindings.contains(binding) {
                known.bindings.push(binding.clone());
            }
        }
    }

    pub(super) fn forget(&self, queue: &Name) {
        let mut known = self.topology.lock().unwrap_or_else(PoisonError::into_inner);
        known.queues.retain(|other| other.name != *queue);
        known.bindings.retain(|binding| binding.queue != *queue);
    }

    pub(super) fn all(&self) -> Topology {
        self.topology.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether only one of a queue's consumers gets messages at a time.
    pub(super) fn is_single_active(&self, queue: &Name) -> bool {
        let known = self.topology.lock().unwrap_or_else(PoisonError::into_inner);
        known.queues.iter().any(|other| other.name == *queue && other.single_active_consumer)
    }

    /// What one queue needs: itself, its bindings and their exchanges.
    pub(super) fn of_queue(&self, queue: &Name) -> Topology {
        let mut topology = self.all();
        topology.queues.retain(|other| other.name == *queue);
        topology.bindings.retain(|binding| binding.queue == *queue);
        topology.exchanges.retain(|exchange| topology.bindings.iter().any(|binding| binding.exchange == exchange.name));
        topology
    }

    /// Declares a topology. What exists with other arguments is adopted, with one warning each; the first other failure is returned
    /// after the rest was tried.
    pub(super) async fn declare(&self, link: &Link, topology: &Topology) -> Result<(), Failure> {
        let mut declaring = Declaring { registry: self, link, channel: None, first: Ok(()) };
        for exchange in &topology.exchanges {
            let outcome = declaring.exchange(exchange).await;
            declaring.note(&exchange.name, outcome)?;
        }
        for queue in &topology.queues {
            let outcome = declaring.queue(queue).await;
            declaring.note(&queue.name, outcome)?;
        }
        for binding in &topology.bindings {
            let outcome = declaring.binding(binding).await;
            declaring.note(&binding.queue, outcome)?;
        }
        if let Some(channel) = declaring.channel {
            link.close_channel(&channel).await;
        }
        declaring.first
    }

    fn adopt(&self, name: &Name, failure: &Failure) {
        if self.adopted.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
            warn!(name = &**name, difference = %failure, "exists on the broker with other arguments, used as it is");
        }
    }
}

/// One round of declaring. A refusal closes the channel, so the next declaration opens another one.
struct Declaring<'a> {
    registry: &'a Registry,
    link: &'a Link,
    channel: Option<Channel>,
    first: Result<(), Failure>,
}

impl Declaring<'_> {
    async fn channel(&mut self) -> Result<Channel, Failure> {
        match &self.channel {
            Some(channel) if channel.status().connected() => Ok(channel.clone()),
            _ => Ok(self.channel.insert(self.link.consuming_channel().await?).clone()),
        }
    }

    async fn exchange(&mut self, exchange: &Exchange) -> Result<(), Failure> {
        let name = short("exchange", &exchange.name)?;
        let channel = self.channel().await?;
        let kind = match exchange.kind {
            ExchangeKind::Direct => LapinKind::Direct,
            ExchangeKind::Topic => LapinKind::Topic,
            ExchangeKind::Fanout => LapinKind::Fanout,
            ExchangeKind::Headers => LapinKind::Headers,
        };
        let options = ExchangeDeclareOptions {
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            ..ExchangeDeclareOptions::default()
        };
        self.link.ask("declare an exchange", channel.exchange_declare(name, kind, options, FieldTable::default())).await
    }

    async fn queue(&mut self, queue: &Queue) -> Result<(), Failure> {
        let name = short("queue", &queue.name)?;
        let channel = self.channel().await?;
        let options = QueueDeclareOptions {
            durable: queue.durable,
            exclusive: queue.exclusive,
            auto_delete: queue.auto_delete,
            ..QueueDeclareOptions::default()
        };
        let arguments = queue_arguments(queue)?;
        self.link.ask("declare a queue", channel.queue_declare(name, options, arguments)).await.map(drop)
    }

    async fn binding(&mut self, binding: &Binding) -> Result<(), Failure> {
        let (queue, exchange) = (short("queue", &binding.queue)?, short("exchange", &binding.exchange)?);
        let key = short("routing key", &binding.routing_key)?;
        let channel = self.channel().await?;
        let (options, arguments) = (QueueBindOptions::default(), table(&binding.arguments)?);
        self.link.ask("bind a queue", channel.queue_bind(queue, exchange, key, options, arguments)).await
    }

    fn note(&mut self, name: &Name, outcome: Result<(), Failure>) -> Result<(), Failure> {
        match outcome {
            Err(failure) if failure.is_lost() => return Err(failure),
            Err(failure) if failure.is_difference() => self.registry.adopt(name, &failure),
            Err(failure) if self.first.is_ok() => self.first = Err(failure),
            _ => {}
        }
        Ok(())
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

/// Asks for a queue without making one.
pub(super) async fn queue_status(link: &Link, queue: &Name) -> Result<Option<QueueStatus>, Failure> {
    let name = short("queue", queue)?;
    let channel = link.consuming_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let answer = link.ask("look at a queue", channel.queue_declare(name, options, FieldTable::default())).await;
    link.close_channel(&channel).await;
    match answer {
        Ok(queue) => Ok(Some(QueueStatus { messages: queue.message_count(), consumers: queue.consumer_count() })),
        Err(failure) if failure.code() == Some(NOT_FOUND) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Removes a queue unless it is in use or holds something, which the broker decides at once.
pub(super) async fn remove_queue(link: &Link, queue: &Name) -> Result<bool, Failure> {
    let name = short("queue", queue)?;
    let channel = link.consuming_channel().await?;
    let options = QueueDeleteOptions { if_unused: true, if_empty: true, ..QueueDeleteOptions::default() };
    let answer = link.ask("remove a queue", channel.queue_delete(name, options)).await;
    link.close_channel(&channel).await;
    match answer {
        Ok(_) => Ok(true),
        Err(failure) if failure.code() == Some(NOT_FOUND) => Ok(true),
        Err(failure) if failure.code() == Some(PRECONDITION_FAILED) => Ok(false),
        Err(failure) => Err(failure),
    }
}
