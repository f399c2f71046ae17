//! Publishing one message until the broker has said what became of it.

use std::time::Duration;

use tokio::{
    sync::{OnceCell, watch},
    time::{Instant, sleep, timeout_at},
};

use super::DispatchError;
use crate::{
    Error, ErrorKind, Result,
    protocol::Message,
    transport::{ConnectionState, Published, Topology, Transport},
};

/// How long to wait before a message is published again, at first and at most: its connection is lost, or its exchange is not there, and
/// both are mended within moments; or its queue is full.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What has to be on the broker before something is sent. Declared once, and again where the broker lost it.
#[derive(Default)]
pub(crate) struct Declaration {
    topology: Topology,
    done: OnceCell<()>,
}

impl Declaration {
    pub(super) fn of(topology: Topology) -> Self {
        Self { topology, done: OnceCell::new() }
    }

    pub(super) async fn ensure(&self, transport: &dyn Transport) -> Result<()> {
        self.done.get_or_try_init(|| transport.declare(self.topology.clone())).await.map(drop)
    }

    pub(super) async fn again(&self, transport: &dyn Transport) -> Result<()> {
        transport.declare(self.topology.clone()).await
    }
}

/// The attempts to publish one message.
pub(super) struct Attempts<'a> {
    transport: &'a dyn Transport,
    message: &'a Message,
    declaration: Option<&'a Declaration>,
    due: Option<Instant>,
    /// Why the outcome of an earlier attempt is unknown.
    unknown: Option<Error>,
    /// Why the latest attempt is known to have come to nothing, though another one may not.
    in_vain: Option<Error>,
    /// The connection, as the latest attempt found it.
    state: watch::Receiver<ConnectionState>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        transport: &'a dyn Transport,
        message: &'a Message,
        declaration: Option<&'a Declaration>,
        due: Option<Instant>,
    ) -> Self {
        Self { transport, message, declaration, due, unknown: None, in_vain: None, state: transport.state() }
    }

    pub(super) async fn within(mut self, limit: Duration) -> Result<Published, DispatchError> {
        match timeout_at(Instant::now() + limit, self.until_told()).await {
            Ok(told) => told,
            Err(_) => Err(self.late(limit)),
        }
    }

    async fn until_told(&mut self) -> Result<Published, DispatchError> {
        let (mut pause, longest) = PAUSES;
        loop {
            match self.once().await {
                Ok(published) => return Ok(published),
                Err(error) => match error.kind() {
                    ErrorKind::OutcomeUnknown => self.unknown = Some(error),
                    ErrorKind::Unavailable => self.in_vain = None,
                    ErrorKind::NoExchange if self.declares_its_exchange() => self.in_vain = Some(error),
                    ErrorKind::Rejected if self.is_for_one_queue() => self.in_vain = Some(error),
                    _ => return Err(self.refused(&error)),
                },
            }
            sleep(pause).await;
            pause = (2 * pause).min(longest);
        }
    }

    /// The broker or this program says no, which does not undo what was sent before.
    #[cold]
    fn refused(&self, error: &Error) -> DispatchError {
        match (DispatchError::from_transport(error), &self.unknown) {
            (told, Some(unknown)) if !told.may_have_been_sent() => {
                DispatchError::OutcomeUnknown(format!("{}; then {told}", unknown.chain()))
            }
            (told, _) => told,
        }
    }

    fn declares_its_exchange(&self) -> bool {
        let exchanges = self.declaration.map(|declaration| &declaration.topology.exchanges);
        exchanges.is_some_and(|exchanges| exchanges.iter().any(|exchange| exchange.name == self.message.exchange))
    }

    /// What one queue did not take nobody has. Where several are bound, each further attempt would be another copy for those that took it.
    fn is_for_one_queue(&self) -> bool {
        self.message.exchange.is_empty() || self.due.is_some_and(|due| due > Instant::now())
    }

    async fn once(&mut self) -> Result<Published> {
        self.state.borrow_and_update();
        if let Some(declaration) = self.declaration {
            match (&self.unknown, &self.in_vain) {
                (None, None) => declaration.ensure(self.transport).await?,
                // Perhaps since it is not there any more.
                _ => declaration.again(self.transport).await?,
            }
        }
        let message = self.message.clone();
        match self.due.map(|due| due.saturating_duration_since(Instant::now())) {
            None | Some(Duration::ZERO) => self.transport.publish(message).await,
            Some(delay) => self.transport.publish_later(message, delay).await.map(|()| Published { routed: true }),
        }
    }

    /// The time is over.
    #[cold]
    fn late(&self, limit: Duration) -> DispatchError {
        let address = self.transport.address();
        if let Some(error) = &self.unknown {
            return DispatchError::OutcomeUnknown(format!("{} (given up after {limit:?})", error.chain()));
        }
        if let Some(error) = &self.in_vain {
            return DispatchError::from_transport(error);
        }
        // Nothing is written without a connection, nor during an alarm: what had been written before has failed with its connection.
        let written = match &*self.state.borrow() {
            ConnectionState::Connected => true,
            ConnectionState::Blocked(_) => self.state.has_changed().unwrap_or(true),
            _ => false,
        };
        match written {
            true => {
                DispatchError::OutcomeUnknown(format!("the broker at {address} did not confirm it within {limit:?}"))
            }
            false => DispatchError::Unavailable(self.state.borrow().unreachable(&address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

    use async_trait::async_trait;

    use super::*;
    use crate::{
        protocol::Name,
        transport::{Consumer, DeliverySink, Exchange, ExchangeKind, QueueStatus, ReplySink, Requester},
    };

    /// What the broker says to one publish.
    enum Word {
        Confirmed { routed: bool },
        Error(ErrorKind),
        Nothing,
    }

    /// A broker that says what the test tells it to, and nothing after that.
    #[derive(Debug)]
    struct Scripted {
        words: Mutex<VecDeque<Word>>,
        seen: Mutex<Vec<String>>,
        state: watch::Sender<ConnectionState>,
    }

    impl std::fmt::Debug for Word {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Word")
        }
    }

    impl Scripted {
        fn new(state: ConnectionState, words: impl IntoIterator<Item = Word>) -> Self {
            let words = Mutex::new(words.into_iter().collect());
            Self { words, seen: Mutex::default(), state: watch::Sender::new(state) }
        }

        fn see(&self, what: impl Into<String>) {
            self.seen.lock().unwrap().push(what.into());
        }

        fn seen(&self) -> Vec<String> {
            std::mem::take(&mut *self.seen.lock().unwrap())
        }

        async fn say(&self) -> Result<Published> {
            let word = self.words.lock().unwrap().pop_front();
            match word.unwrap_or(Word::Nothing) {
                Word::Confirmed { routed } => Ok(Published { routed }),
                Word::Error(kind) => Err(Error::new(kind, "the script says so")),
                Word::Nothing => std::future::pending().await,
            }
        }

        /// An event.
        async fn send(&self, delay: Option<Duration>) -> Result<Published, DispatchError> {
            self.send_at("events", delay).await
        }

        /// A message for some other exchange.
        async fn send_to(&self, exchange: &'static str) -> Result<Published, DispatchError> {
            self.send_at(exchange, None).await
        }

        async fn send_at(&self, exchange: &'static str, delay: Option<Duration>) -> Result<Published, DispatchError> {
            let mut message = Message { exchange: exchange.into(), ..Message::default() };
            message.properties.message_id = Some("the-one-id".into());
            let events = Exchange::durable("events", ExchangeKind::Topic);
            let declaration = Declaration::of(Topology { exchanges: vec![events], ..Topology::default() });
            let due = delay.map(|delay| Instant::now() + delay);
            Attempts::new(self, &message, Some(&declaration), due).within(Duration::from_secs(30)).await
        }
    }

    #[async_trait]
    impl Transport for Scripted {
        async fn declare(&self, _: Topology) -> Result<()> {
            self.see("declare");
            Ok(())
        }

        async fn publish(&self, message: Message) -> Result<Published> {
            self.see(format!("publish {}", message.properties.message_id.unwrap()));
            self.say().await
        }

        async fn publish_later(&self, _: Message, delay: Duration) -> Result<()> {
            self.see(format!("publish in {} s", delay.as_secs_f32().round()));
            self.say().await.map(drop)
        }

        fn is_adopted(&self, _: &crate::transport::Queue) -> bool {
            false
        }

        fn state(&self) -> watch::Receiver<ConnectionState> {
            self.state.subscribe()
        }

        fn address(&self) -> String {
            "amqp://script".to_owned()
        }

        async fn consume(&self, _: Name, _: u16, _: Arc<dyn DeliverySink>) -> Result<Arc<dyn Consumer>> {
            unimplemented!()
        }

        async fn open_requester(&self, _: &str, _: Arc<dyn ReplySink>) -> Result<Arc<dyn Requester>> {
            unimplemented!()
        }

        async fn queue_status(&self, _: &Name) -> Result<Option<QueueStatus>> {
            unimplemented!()
        }

        async fn remove_queue(&self, _: &Name) -> Result<bool> {
            unimplemented!()
        }

        async fn close(&self) {}
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_be_lost_is_published_again_under_the_same_id() {
        let unknown = || Word::Error(ErrorKind::OutcomeUnknown);
        let broker =
            Scripted::new(ConnectionState::Connected, [unknown(), unknown(), Word::Confirmed { routed: false }]);
        assert_eq!(broker.send(None).await, Ok(Published { routed: false }));
        let publish = "publish the-one-id";
        assert_eq!(broker.seen(), ["declare", publish, "declare", publish, "declare", publish]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_open_at_the_end_of_the_time_may_have_been_sent() {
        let broker = Scripted::new(ConnectionState::Connected, [Word::Error(ErrorKind::OutcomeUnknown)]);
        let began = Instant::now();
        let error = broker.send(None).await.unwrap_err();
        assert_eq!(error, DispatchError::OutcomeUnknown("the script says so (given up after 30s)".into()));
        assert_eq!(began.elapsed().as_secs(), 30);

        let broker = Scripted::new(ConnectionState::Connected, []);
        let text = "the broker at amqp://script did not confirm it within 30s";
        assert_eq!(broker.send(None).await, Err(DispatchError::OutcomeUnknown(text.into())));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_connection_nothing_was_sent() {
        let broker = Scripted::new(ConnectionState::Connecting("nobody listens there".into()), []);
        let text = "the broker at amqp://script was not reachable in time: nobody listens there";
        assert_eq!(broker.send(None).await, Err(DispatchError::Unavailable(text.into())));

        let blocked = ConnectionState::Blocked("low on memory".into());
        let broker = Scripted::new(blocked.clone(), []);
        let text = "the broker at amqp://script takes no messages at the moment: low on memory";
        assert_eq!(broker.send(None).await, Err(DispatchError::Unavailable(text.into())));

        // An alarm that began after the message was written says nothing of the message.
        let broker = Scripted::new(ConnectionState::Connected, []);
        let alarm = async {
            sleep(Duration::from_secs(1)).await;
            broker.state.send_replace(blocked);
        };
        let (told, ()) = tokio::join!(broker.send(None), alarm);
        assert!(told.unwrap_err().may_have_been_sent());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_broker_refuses_is_not_tried_again() {
        for (kind, error) in [
            (ErrorKind::Rejected, DispatchError::Rejected("the script says so".into())),
            (ErrorKind::Refused, DispatchError::Refused("the script says so".into())),
            (ErrorKind::Codec, DispatchError::Invalid("the script says so".into())),
            (ErrorKind::Closed, DispatchError::Closed),
        ] {
            let broker = Scripted::new(ConnectionState::Connected, [Word::Error(kind)]);
            assert_eq!(broker.send(None).await, Err(error));
            assert_eq!(broker.seen(), ["declare", "publish the-one-id"]);
        }
        let words = [ErrorKind::OutcomeUnknown, ErrorKind::Closed].map(Word::Error);
        let error = Scripted::new(ConnectionState::Connected, words).send(None).await.unwrap_err();
        let text = "sent or not: the script says so; then not sent: the connection was closed by this program";
        assert_eq!(error.to_string(), text);
    }

    #[tokio::test(start_paused = true)]
    async fn what_its_one_queue_does_not_take_is_tried_again_until_the_time_is_over() {
        let full = || Word::Error(ErrorKind::Rejected);
        let words = [full(), full(), Word::Confirmed { routed: true }];
        assert_eq!(Scripted::new(ConnectionState::Connected, words).send_to("").await, Ok(Published { routed: true }));
        let began = Instant::now();
        let broker = Scripted::new(ConnectionState::Connected, (0..100).map(|_| full()));
        assert_eq!(broker.send_to("").await, Err(DispatchError::Rejected("the script says so".into())));
        assert_eq!(began.elapsed().as_secs(), 30);
        // A delay has a queue of its own, whoever is to have the message then.
        let broker = Scripted::new(ConnectionState::Connected, [full(), Word::Confirmed { routed: true }]);
        assert_eq!(broker.send(Some(Duration::from_secs(5))).await, Ok(Published { routed: true }));
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_of_its_own_that_is_gone_is_declared_again() {
        let gone = || Word::Error(ErrorKind::NoExchange);
        let broker = Scripted::new(ConnectionState::Connected, [gone(), Word::Confirmed { routed: true }]);
        assert_eq!(broker.send(None).await, Ok(Published { routed: true }));
        assert_eq!(broker.seen(), ["declare", "publish the-one-id", "declare", "publish the-one-id"]);
        let error = Scripted::new(ConnectionState::Connected, [gone()]).send_to("other").await.unwrap_err();
        assert_eq!(error, DispatchError::NoExchange("the script says so".into()));
        assert!(!error.may_have_been_sent());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_no_further_delay() {
        let away = || Word::Error(ErrorKind::Unavailable);
        let words = (0..10).map(|_| away()).chain([Word::Confirmed { routed: true }]);
        let broker = Scripted::new(ConnectionState::Connected, words);
        broker.send(Some(Duration::from_secs(20))).await.unwrap();
        let seen = broker.seen();
        assert_eq!(
            (seen.first().map(String::as_str), seen.get(1).map(String::as_str)),
            (Some("declare"), Some("publish in 20 s"))
        );
        assert_eq!(seen.last().map(String::as_str), Some("publish in 15 s"), "{seen:?}");
    }
}
