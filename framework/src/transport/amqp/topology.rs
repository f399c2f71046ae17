use std::{
    future::{poll_fn, ready},
    task::Poll,
};

use futures_util::FutureExt;

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

use super::{
    convert::short,
    failure::{Failure, NOT_FOUND, PRECONDITION_FAILED},
    item::{Declaration, Item},
    link::Link,
    registry::Registry,
};
use crate::{protocol::Name, transport::QueueStatus};

/// Declares items. What exists with other arguments is adopted, with one warning each; the first other failure is returned after the
/// rest was tried.
pub(super) async fn declare(registry: &Registry, link: &Link, items: &[Item]) -> Result<(), Failure> {
    if items.is_empty() {
        return Ok(());
    }
    match all_at_once(registry, link, items).await {
        // One was refused, and with it all behind it.
        Err(Failure::Broker { .. } | Failure::Invalid(_)) => one_by_one(registry, link, items).await,
        outcome => outcome,
    }
}

/// In one round trip, however many there are. A refusal closes the channel.
async fn all_at_once(registry: &Registry, link: &Link, items: &[Item]) -> Result<(), Failure> {
    let declarations: Result<Vec<_>, _> =
        items.iter().map(|item| item.declaration(registry.is_adopted(item))).collect();
    let (declarations, channel) = (declarations?, link.consuming_channel().await?);
    let mut sent = Vec::with_capacity(declarations.len());
    for declaration in declarations {
        let (what, mut answer) = (declaration.what(), declaration.send(channel.clone()).boxed());
        // Looked at once, it is on its way.
        let early = poll_fn(|cx| Poll::Ready(answer.poll_unpin(cx))).await;
        sent.push((
            what,
            match early {
                Poll::Ready(answer) => ready(answer).boxed(),
                Poll::Pending => answer,
            },
        ));
    }
    let mut outcome = Ok(());
    for (what, answer) in sent {
        outcome = outcome.and(link.ask(what, answer).await);
        if outcome.is_err() {
            break;
        }
    }
    link.close_channel(&channel).await;
    outcome
}

async fn one_by_one(registry: &Registry, link: &Link, items: &[Item]) -> Result<(), Failure> {
    let mut declaring = Declaring { link, channel: None };
    let mut first = Ok(());
    for item in items {
        let mut outcome = declaring.declare(item.declaration(registry.is_adopted(item))).await;
        if outcome.as_ref().is_err_and(|failure| failure.code() == Some(NOT_FOUND)) && registry.is_adopted(item) {
            registry.disown(item);
            outcome = declaring.declare(item.declaration(false)).await;
        }
        match outcome {
            Err(failure) if failure.is_lost() => return Err(failure),
            Err(failure) if failure.is_difference() => registry.adopt(item, &failure),
            Err(failure) if first.is_ok() => first = Err(failure),
            _ => {}
        }
    }
    if let Some(channel) = declaring.channel {
        link.close_channel(&channel).await;
    }
    first
}

/// A refusal closes the channel, so the next declaration opens another one.
struct Declaring<'a> {
    link: &'a Link,
    channel: Option<Channel>,
}

impl Declaring<'_> {
    async fn declare(&mut self, declaration: Result<Declaration, Failure>) -> Result<(), Failure> {
        let declaration = declaration?;
        let channel = match &self.channel {
            Some(channel) if channel.status().connected() => channel.clone(),
            _ => self.channel.insert(self.link.consuming_channel().await?).clone(),
        };
        self.link.ask(declaration.what(), declaration.send(channel)).await
    }
}

/// Whether there is an exchange of this name.
pub(super) async fn has_exchange(link: &Link, exchange: &Name) -> Result<bool, Failure> {
    let name = short("exchange", exchange)?;
    let channel = link.consuming_channel().await?;
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    // Its kind is not compared.
    let declare = channel.exchange_declare(name, ExchangeKind::Topic, options, FieldTable::default());
    let answer = link.ask("look at an exchange", declare).await;
    link.close_channel(&channel).await;
    match answer {
        Ok(()) => Ok(true),
        Err(failure) if failure.code() == Some(NOT_FOUND) => Ok(false),
        Err(failure) => Err(failure),
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

/// Removes a queue unless it is in use or holds something.
pub(super) async fn remove_queue(registry: &Registry, link: &Link, queue: &Name) -> Result<bool, Failure> {
    // Asked to remove a quorum queue on a condition, RabbitMQ (3.10) closes the connection.
    let at_once = registry.is_classic(queue);
    if !at_once {
        match queue_status(link, queue).await? {
            None => return Ok(true),
            Some(QueueStatus { messages: 0, consumers: 0 }) => {}
            Some(_) => return Ok(false),
        }
    }
    let name = short("queue", queue)?;
    let channel = link.consuming_channel().await?;
    let options = QueueDeleteOptions { if_unused: at_once, if_empty: at_once, ..QueueDeleteOptions::default() };
    let answer = link.ask("remove a queue", channel.queue_delete(name, options)).await;
    link.close_channel(&channel).await;
    match answer {
        Ok(_) => Ok(true),
        Err(failure) if failure.code() == Some(NOT_FOUND) => Ok(true),
        Err(failure) if failure.code() == Some(PRECONDITION_FAILED) => Ok(false),
        Err(failure) => Err(failure),
    }
}
