//! What ends its process is found among messages that must not leave their place.
//!
//! The broker counts the deliveries of each, but says the same of those that merely were in the hands of a process that died. So what has
//! come often begins alone, and the beginning is written down in a queue beside: a mark, which goes when the worker has come to an
//! end, whatever end. What is left there are the deaths of processes, each with the message that was begun.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use super::{Lane, recall, received::Received, settle::Ending, topology::alone_queue};
use crate::{
    Error, ErrorKind, Result,
    event::{Action, Verdict},
    protocol::{Message, Name, Properties, names},
    transport::{Consumer, Delivery, DeliverySink, Topology, Transport},
};

/// What came so often before it came to this process begins alone.
pub(super) const SUSPECT: u64 = 5;

/// How often it is begun alone before it is kept as a dead letter.
const MOST: usize = 5;

/// How long to wait for marks that should be there: those of a process that died a moment ago are not back yet.
const QUIET: Duration = Duration::from_millis(500);

/// How long a mark may take. Better uncounted than never.
const MARKING_LIMIT: Duration = Duration::from_secs(10);

/// How many marks are read at once: there are as many messages that killed, at most, as fit into a connection's hands, and these few times.
const MOST_MARKS: u16 = 1000;

/// The marks of a queue, all of them in our hands as long as our connection lives: only one instance works the queue.
pub(super) struct Marks {
    consumer: Arc<dyn Consumer>,
    arriving: UnboundedReceiver<Delivery>,
    there: Vec<Delivery>,
}

struct Sink(UnboundedSender<Delivery>);

impl DeliverySink for Sink {
    fn deliver(&self, delivery: Delivery) {
        let _ = self.0.send(delivery);
    }

    fn lost(&self) {}
}

impl Drop for Marks {
    fn drop(&mut self) {
        // Before they go back, or they would come again. The first look at a cancel begins it.
        let _ = self.consumer.cancel().now_or_never();
    }
}

impl Marks {
    async fn open(transport: &dyn Transport, queue: &Name) -> Result<Self> {
        let declared = alone_queue(queue);
        let name = declared.name.clone();
        transport.declare(Topology { queues: vec![declared], ..Topology::default() }).await?;
        let (sender, arriving) = unbounded_channel();
        let consumer = transport.consume(name, MOST_MARKS, Arc::new(Sink(sender))).await?;
        let mut marks = Self { consumer, arriving, there: Vec::new() };
        while let Ok(Some(mark)) = timeout(QUIET, marks.arriving.recv()).await {
            marks.there.push(mark);
        }
        Ok(marks)
    }

    fn of(&self, id: &Name) -> usize {
        self.there.iter().filter(|mark| mark.message().properties.message_id.as_ref() == Some(id)).count()
    }

    /// One more, which is on the broker's disk before this returns.
    async fn add(&mut self, transport: &dyn Transport, queue: &Name, id: &Name) -> Result<()> {
        let properties = Properties { message_id: Some(id.clone()), persistent: true, ..Properties::default() };
        let routing_key = names::alone_queue(queue);
        let mark = Message { exchange: names::DEFAULT_EXCHANGE, routing_key, properties, ..Message::default() };
        let before = self.of(id);
        if !transport.publish(mark).await?.routed {
            return Err(Error::new(ErrorKind::Unavailable, "the queue of marks was deleted"));
        }
        while self.of(id) == before
            && let Some(mark) = self.arriving.recv().await
        {
            self.there.push(mark);
        }
        Ok(())
    }

    fn clear(&mut self, id: &Name) {
        let cleared = |mark: &mut Delivery| mark.message().properties.message_id.as_ref() == Some(id);
        self.there.extract_if(.., cleared).for_each(Delivery::ack);
    }
}

impl Lane {
    /// One attempt while no other runs in this lane.
    pub(super) async fn attempt_alone(&self, received: Received) -> Option<(Received, Ending)> {
        let id = recall::id(&received.message);
        let connection = received.connection.clone();
        let begin = async {
            let turn = self.turn.write().await;
            let begun = timeout(MARKING_LIMIT, self.mark(&id)).await;
            (turn, begun.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "the broker takes no mark"))))
        };
        let (_turn, begun) = tokio::select! {
            biased;
            () = connection.cancelled() => return None,
            () = self.shared.limits.stopping() => return None,
            begun = begin => begun,
        };
        let (service, method, queue, message_id) = (self.shared.service_name, self.handler.method, &*self.queue, &*id);
        let deliveries = received.deliveries().count;
        let begun = begun.map_err(|error| {
            let error = error.chain();
            tracing::warn!(service, method, queue, message_id, error, "the deaths of a message cannot be counted");
        });
        let (deaths, marks) = begun.map_or((0, None), |(deaths, marks)| (deaths, Some(marks)));
        let attempted = if deaths < MOST {
            tracing::warn!(
                service,
                method,
                queue,
                message_id,
                deliveries,
                deaths,
                "a message that comes again and again without an end begins alone"
            );
            self.attempt(received).await
        } else {
            let verdict = Verdict::new(Action::DeadLetter, self.crashed(deliveries));
            Some((received, Ending::Failed(verdict)))
        };
        if let Some(mut marks) = marks {
            marks.clear(&id);
            let mut place = self.marks();
            if !connection.is_cancelled() {
                *place = Some(marks);
            }
        }
        attempted
    }

    /// Says how often the message was begun alone and ended its process; adds a mark where it may once more.
    async fn mark(&self, id: &Name) -> Result<(usize, Marks)> {
        let transport = self.shared.transport()?;
        let marks = self.marks().take();
        let mut marks = match marks {
            Some(marks) => marks,
            None => Marks::open(&*transport, &self.queue).await?,
        };
        let deaths = marks.of(id);
        if deaths < MOST {
            marks.add(&*transport, &self.queue, id).await?;
        }
        Ok((deaths, marks))
    }

    /// The marks, while nobody uses them. Their connection is gone when ours is.
    pub(super) fn marks(&self) -> MutexGuard<'_, Option<Marks>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
