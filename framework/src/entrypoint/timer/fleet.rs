//! Which of all instances fires a timer: the one that the broker gives the timer's token.
//!
//! The token is a message in a queue of the timer's own, which has a single active consumer. Who has one leads, until its connection or its
//! consumer ends; then the broker gives the token to another. Each instance puts a new token into the queue every minute, and the one
//! that leads keeps the newest and acknowledges the one before: so there always is a token, whatever became of the queue, and none is
//! held for as long as a broker would allow (30 min).

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    protocol::{Message, Name, names},
    task::Tasks,
    transport::{Consumer, ConsumerStatus, Delivery, DeliverySink, Queue, QueueKind, Topology, Transport},
};

/// How often each instance sends a token.
const REFRESH: Duration = Duration::from_secs(60);
/// How soon again where the queue is not there: its consumer declares it anew.
const RETRY: Duration = Duration::from_millis(500);
/// Who leads has a token that it sent back by then.
const ECHO: Duration = Duration::from_secs(10);
/// How long the queue outlives the last instance.
const EXPIRES: Duration = Duration::from_secs(5 * 60);
/// The newest token, and the one before until it is acknowledged.
const PREFETCH: u16 = 2;

/// One instance's part in a timer that fires once per fleet.
pub(super) struct Lead {
    queue: Name,
    tokens: Arc<Tokens>,
    consumer: OnceLock<Arc<dyn Consumer>>,
}

/// Where the tokens come.
struct Tokens {
    queue: Name,
    held: Mutex<Option<Delivery>>,
    /// How many have come since this instance leads; 0: it does not.
    count: watch::Sender<u64>,
    lost: Notify,
}

impl Lead {
    pub(super) fn new(service: &str, method: &str) -> Self {
        let queue = names::timer_queue(service, method);
        let (count, lost) = (watch::Sender::new(0), Notify::new());
        let tokens = Arc::new(Tokens { queue: queue.clone(), held: Mutex::default(), count, lost });
        Self { queue, tokens, consumer: OnceLock::new() }
    }

    pub(super) fn queue(&self) -> &Name {
        &self.queue
    }

    /// Waits for its turn from now on. Returns when the broker has its consumer.
    pub(super) async fn apply(
        &self,
        transport: &Arc<dyn Transport>,
        tasks: &Tasks,
        stop: &CancellationToken,
    ) -> Result<()> {
        let queue = Queue {
            // Survives the loss of a node, as the timer's instances do.
            kind: QueueKind::Quorum,
            single_active_consumer: true,
            ..Queue::durable(self.queue.clone()).expires(EXPIRES)
        };
        transport.declare(Topology { queues: vec![queue], ..Topology::default() }).await?;
        let consumer = transport.consume(self.queue.clone(), PREFETCH, self.tokens.clone()).await?;
        // It applies once.
        let _ = self.consumer.set(consumer);
        let (tokens, transport, stop) = (self.tokens.clone(), Arc::downgrade(transport), stop.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(tokens.refresh(&transport)).await;
        });
        Ok(())
    }

    pub(super) fn is_held(&self) -> bool {
        *self.tokens.count.borrow() > 0
    }

    /// Watches for the moments when this instance begins to lead; the first one may have passed.
    pub(super) fn watch(&self) -> Leading {
        Leading { count: self.tokens.count.subscribe(), leads: false }
    }

    /// Lets another instance lead.
    pub(super) async fn resign(&self) {
        // In this order: else the token would come straight back.
        if let Some(consumer) = self.consumer.get() {
            consumer.cancel().await;
        }
        self.tokens.give_up();
    }

    pub(super) fn status(&self) -> Option<ConsumerStatus> {
        self.consumer.get().map(|consumer| consumer.status())
    }
}

/// See [`Lead::watch`].
pub(super) struct Leading {
    count: watch::Receiver<u64>,
    leads: bool,
}

impl Leading {
    /// Returns when this instance begins to lead. Safe to drop.
    pub(super) async fn won(&mut self) {
        loop {
            let leads = self.leads;
            // The sender lives as long as the timer.
            let _ = self.count.wait_for(|count| (*count > 0) != leads).await;
            self.leads = !leads;
            if self.leads {
                return;
            }
        }
    }
}

impl Tokens {
    /// Keeps a token in the queue, and sees whether this instance still leads.
    async fn refresh(&self, transport: &Weak<dyn Transport>) {
        while let Some(transport) = transport.upgrade() {
            let before = *self.count.borrow();
            let token = Message { routing_key: self.queue.clone(), ..Message::default() };
            let sent = transport.publish(token).await;
            drop(transport);
            let again = match sent {
                Ok(published) if published.routed => {
                    self.expect_echo(before).await;
                    REFRESH
                }
                Ok(_) => RETRY,
                Err(error) => {
                    tracing::debug!(queue = %self.queue, error = error.chain(), "a timer's token could not be sent");
                    RETRY
                }
            };
            tokio::select! {
                () = sleep(again) => {}
                () = self.lost.notified() => {}
            }
        }
    }

    /// A broker that was cut in two may have given the token to somebody else without a word.
    async fn expect_echo(&self, before: u64) {
        if before == 0 {
            return;
        }
        let mut count = self.count.subscribe();
        let came = timeout(ECHO, count.wait_for(|count| *count != before)).await.is_ok();
        if !came {
            tracing::warn!(queue = %self.queue, "the broker has given the timer to another instance");
            self.give_up();
        }
    }

    /// Gives the token back, where there is one.
    fn give_up(&self) {
        let given_back = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            self.count.send_replace(0);
            held.take()
        };
        // Not under the lock: in memory it may come back at once.
        drop(given_back);
    }
}

impl DeliverySink for Tokens {
    fn deliver(&self, delivery: Delivery) {
        let before = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            self.count.send_modify(|count| *count += 1);
            held.replace(delivery)
        };
        match before {
            Some(before) => before.ack(),
            None => tracing::info!(queue = %self.queue, "this instance fires the timer from now on"),
        }
    }

    fn lost(&self) {
        self.give_up();
        self.lost.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::transport::{MemoryTransport, Publishing, Settler};

    /// Takes what the broker gives to the active consumer, and settles deliveries of a connection that is cut off.
    #[derive(Default)]
    struct Other {
        held: Mutex<Vec<Delivery>>,
        given_back: AtomicUsize,
    }

    impl DeliverySink for Other {
        fn deliver(&self, delivery: Delivery) {
            self.held.lock().unwrap().push(delivery);
        }
        fn lost(&self) {}
    }

    impl Settler for Other {
        fn ack(&self, _: u64) {}
        fn requeue(&self, _: u64, _: Arc<Message>) {
            self.given_back.fetch_add(1, Ordering::SeqCst);
        }
        fn reply(&self, _: u64, _: Message) -> Publishing {
            Publishing::done(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_token_back_that_it_sent_leads_no_more() {
        let (transport, other) = (MemoryTransport::open(""), Arc::new(Other::default()));
        let active = Lead::new("s", "tick");
        let queue = Queue { single_active_consumer: true, ..Queue::durable(active.queue().clone()) };
        transport.declare(Topology { queues: vec![queue], ..Topology::default() }).await.unwrap();
        transport.consume(active.queue().clone(), 100, other.clone()).await.unwrap();

        let lead = Lead::new("s", "tick");
        lead.tokens.deliver(Delivery::new(Message::default(), false, 1, other.clone()));
        assert!(lead.is_held());
        lead.apply(&transport, &Tasks::new(), &CancellationToken::new()).await.unwrap();
        sleep(ECHO + RETRY).await;
        assert!(!lead.is_held());
        assert_eq!(other.given_back.load(Ordering::SeqCst), 1);
        assert_eq!(other.held.lock().unwrap().len(), 1, "the broker had it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_every_minute() {
        let (transport, lead) = (MemoryTransport::open(""), Lead::new("s", "tick"));
        lead.apply(&transport, &Tasks::new(), &CancellationToken::new()).await.unwrap();
        sleep(2 * REFRESH + RETRY).await;
        assert_eq!(*lead.tokens.count.borrow(), 3);
        lead.resign().await;
        assert!(!lead.is_held());
        assert_eq!(transport.queue_status(lead.queue()).await.unwrap().unwrap().messages, 1, "for the next one");
    }
}
