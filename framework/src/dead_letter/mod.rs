//! Dead letters: messages that could not be handled, kept by the broker until somebody looks.
//!
//! A handler whose attempts are used up, whose error says that no further attempt can help, or whose message cannot be read, leaves the message in the
//! queue `kinoko.dead-{queue}`, beside the queue that it consumes. [`DeadLetters`] lists what is there, sends it back, and throws it away.

mod letter;
mod reading;
mod replay;
mod selection;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::timeout};

pub use self::{
    letter::Letter,
    replay::{Replay, Swept},
    selection::Selection,
};
use self::{reading::Reading, replay::Sweep};
use crate::{
    Error, ErrorKind, Result,
    config::Settings,
    event::{DispatchError, Sender, SenderSettings},
    observe::Observer,
    protocol::{Message, Name, names},
    service::{Service, ServiceDescriptor},
    transport::{Transport, TransportOptions, connect},
};

/// The dead letters of a broker: [`RunningApp::dead_letters`](crate::RunningApp::dead_letters), or [`connect`](Self::connect)ed on its
/// own. Cheap to clone.
///
/// Queues are named by the queue that a handler consumes, or by that of its dead letters.
///
/// Reading takes letters out of their queue and hands them back: nothing is lost, whatever ends meanwhile. Who else reads at that moment
/// sees them later or not at all, and the order in a queue may change.
///
/// # Examples
///
/// ```
/// use kinoko::dead_letter::{DeadLetters, Selection};
///
/// # async fn example() -> kinoko::Result<()> {
/// let dead = DeadLetters::connect("amqp://guest:guest@localhost:5672/").await?;
/// let queue = "evt-orders-order_placed--mailer.on_placed";
/// for letter in dead.list(queue, 20).await? {
///     println!("{} after {} attempts: {}", letter.id, letter.attempts, letter.error);
/// }
/// // The mail server is back.
/// let swept = dead.replay(queue, Selection::reason("attempts")).per_second(20.0).await?;
/// println!("{} replayed, {} stay", swept.taken, swept.unselected + swept.stranded);
/// dead.discard(queue, Selection::reason("malformed")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DeadLetters {
    transport: Arc<dyn Transport>,
    /// Whether the connection is its own.
    own: bool,
    sender: Arc<Sender>,
    services: Vec<&'static ServiceDescriptor>,
    /// Who looks takes turns with others of this program: each sees all.
    looking: Arc<Mutex<()>>,
}

/// A queue of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LetterQueue {
    /// Its name.
    pub name: Name,
    /// The service whose letters they are.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// How many letters wait in it.
    pub letters: u32,
}

impl DeadLetters {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        sender: Arc<Sender>,
        services: Vec<&'static ServiceDescriptor>,
    ) -> Self {
        Self { transport, own: false, sender, services, looking: Arc::default() }
    }

    /// The dead letters of a broker, by a connection of their own: `amqp://…`, or `memory://name` for the broker that an
    /// [`App`](crate::App) in this process uses.
    ///
    /// # Errors
    ///
    /// As [`transport::connect`](crate::transport::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing stays connected.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, &Settings::default()).await
    }

    /// The same with settings: those of [`EventDispatcher::connect_with`](crate::EventDispatcher::connect_with). `dispatch_timeout` is how
    /// long each step waits for the broker.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and for settings of the wrong type.
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, settings: &Settings) -> Result<Self> {
        let options = TransportOptions::from_settings("kinoko dead letters", settings)?;
        let settings = SenderSettings::read(settings)?;
        let transport = connect(url, options).await?;
        let sender = Sender::shared(transport.clone(), settings, Observer::off());
        Ok(Self { own: true, ..Self::new(transport, sender, Vec::new()) })
    }

    /// Makes the queues of a service known to [`queues`](Self::queues). An app's own services are known already; a broker does not tell
    /// what queues it has.
    #[must_use]
    pub fn service<S: Service>(mut self) -> Self {
        self.services.push(S::DESCRIPTOR);
        self
    }

    /// The dead-letter queues of the services that are known, also of methods that have none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] when the broker does not answer in time.
    ///
    /// # Cancel safety
    ///
    /// Reads only.
    pub async fn queues(&self) -> Result<Vec<LetterQueue>> {
        let mut queues = self.known();
        for queue in &mut queues {
            queue.letters = self.count(&queue.name).await?.unwrap_or(0);
        }
        Ok(queues)
    }

    /// Letters of a queue, at most so many, those that died first before the others.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where there is no such queue; [`ErrorKind::Unavailable`] when the broker does not answer in time, or the
    /// connection is lost meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, every letter is back in its queue.
    pub async fn list(&self, queue: &str, limit: u16) -> Result<Vec<Letter>> {
        let mut letters = Vec::new();
        self.look(queue, limit, |letter| {
            letters.push(letter);
            true
        })
        .await?;
        letters.sort_by_key(|letter| letter.at);
        Ok(letters)
    }

    /// The letter of one message, among the first 65,535.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// As [`list`](Self::list).
    pub async fn show(&self, queue: &str, id: &str) -> Result<Option<Letter>> {
        let mut found = None;
        self.look(queue, u16::MAX, |letter| {
            found = (*letter.id == *id).then_some(letter);
            found.is_none()
        })
        .await?;
        Ok(found)
    }

    /// Reads up to so many letters, until `see` has seen enough.
    async fn look(&self, queue: &str, limit: u16, mut see: impl FnMut(Letter) -> bool) -> Result<()> {
        let queue = dead_letters(queue);
        let _turn = self.looking.lock().await;
        let Some(mut reading) = Reading::open(self, &queue).await? else { return self.expect(&queue) };
        while reading.held() < usize::from(limit)
            && let Some(delivery) = reading.next().await?
        {
            let more = see(Letter::read(delivery.message(), &queue));
            reading.hold(delivery);
            if !more {
                break;
            }
        }
        reading.close(self, &queue, 0).await;
        Ok(())
    }

    /// Sends letters back to the queue that they came from. Await it.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list), before anything is replayed.
    pub fn replay(&self, queue: &str, which: Selection) -> Replay {
        Replay { dead: self.clone(), queue: dead_letters(queue), which, every: Duration::ZERO }
    }

    /// Throws letters away, for good. Only what is there at the start is looked at.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list), before anything is thrown away.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, some are thrown away.
    pub async fn discard(&self, queue: &str, which: Selection) -> Result<Swept> {
        self.sweep(&dead_letters(queue), &which, Sweep::Discard).await
    }

    /// Closes the connection that was [`connect`](Self::connect)ed. That of an app is the app's.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the connection closes all the same.
    pub async fn close(&self) {
        if self.own {
            self.transport.close().await;
        }
    }

    /// Publishes a letter somewhere.
    async fn publish(&self, message: &Message) -> Result<(), DispatchError> {
        let published = self.sender.send(message, None, None, self.sender.settings.timeout).await?;
        if published.routed {
            return Ok(());
        }
        let (exchange, routing_key) = (message.exchange.to_string(), message.routing_key.to_string());
        Err(DispatchError::Unroutable { exchange, routing_key })
    }

    /// What is known from services, without asking the broker.
    fn known(&self) -> Vec<LetterQueue> {
        let mut queues = Vec::new();
        for service in &self.services {
            let mut add = |method, queue: Name| {
                let name = names::dead_letter_queue(&queue);
                queues.push(LetterQueue { name, service: service.name, method, letters: 0 });
            };
            for handler in service.events {
                for event in handler.events {
                    add(handler.method, handler.shared_queue(service.name, event));
                }
            }
            for consumer in service.consumers {
                add(consumer.method, consumer.queue.into());
            }
        }
        queues
    }

    /// Refuses a queue that is not there, unless it only has had no letter so far.
    fn expect(&self, queue: &Name) -> Result<()> {
        if self.known().iter().any(|known| known.name == *queue) {
            return Ok(());
        }
        let text =
            format!("there is no queue `{queue}`: nothing of it was ever a dead letter, or its name is another one");
        Err(Error::new(ErrorKind::Usage, text))
    }

    /// How many letters wait in a queue; `None` where there is none.
    async fn count(&self, queue: &Name) -> Result<Option<u32>> {
        Ok(self.within(self.transport.queue_status(queue)).await?.map(|status| status.messages))
    }

    /// Waits for the broker, but not for ever.
    async fn within<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        match timeout(self.sender.settings.timeout, future).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let text = self.transport.state().borrow().unreachable(&self.transport.address());
                Err(Error::new(ErrorKind::Unavailable, text))
            }
        }
    }
}

/// The queue of dead letters that somebody means by it, or by the one that it belongs to.
fn dead_letters(queue: &str) -> Name {
    match names::handled_queue(queue) == queue {
        true => names::dead_letter_queue(queue),
        false => queue.to_owned().into(),
    }
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").field("transport", &self.transport).finish_non_exhaustive()
    }
}
