//! Sends messages to exchanges and queues that are nobody's events.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use super::{Publish, Recorded, attempts::Declaration, sender::Sender, sending::Sending};
use crate::{
    Error, ErrorKind, Result,
    config::Settings,
    dependency::{Dependency, SetupContext},
    protocol::{Name, names},
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology},
};

/// Publishes to exchanges and queues that something else owns: a field of a service, or [`connect`](Self::connect)ed on its own in a
/// program that is no service. Cheap to clone. Nameko's `Publisher`.
///
/// | option | what |
/// | --- | --- |
/// | `queue` | where it goes, by the default exchange |
/// | `exchange` | where it goes instead |
/// | `routing_key` | with what; default: none |
/// | `declare` | `true`: the exchange and the queue are declared at the start, durable, and bound if both are named. Default: they have to be there |
/// | `kind` | of an exchange that is declared: `direct` (the default), `topic`, `fanout` or `headers` |
///
/// What a field's options do not say, or otherwise, the [`Publish`] says.
///
/// # Examples
///
/// ```
/// use kinoko::{Publisher, prelude::*};
/// use serde_json::json;
///
/// #[derive(Dependencies)]
/// struct Mailer {
///     #[dependency(queue = "mails", declare = true)]
///     mails: Publisher,
/// }
///
/// #[service(name = "mailer")]
/// impl Mailer {
///     #[rpc]
///     async fn invite(&self, to: String) -> kinoko::Result<()> {
///         self.mails.publish(&json!({"to": to})).expiration("1h").await?;
///         self.mails.publish_bytes("text/csv", to).to_queue("mails").await?;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = App::new().service::<Mailer>().start().await?;
/// app.client::<MailerClient>().invite("ada@example.org".into()).await?;
/// # app.stop().await }
/// ```
#[derive(Clone)]
pub struct Publisher {
    sender: Arc<Sender>,
    place: Option<(Name, Name)>,
    declaration: Option<Arc<Declaration>>,
}

/// The options of a [`Publisher`] field.
#[derive(Debug, Default, Clone)]
pub struct PublisherOptions {
    /// Where messages go by the default exchange.
    pub queue: Option<String>,
    /// Where they go instead.
    pub exchange: Option<String>,
    /// With what routing key they go to the exchange. Default: an empty one.
    pub routing_key: Option<String>,
    /// Whether what is named is declared at the start.
    pub declare: bool,
    /// The kind of an exchange that is declared: `direct`, `topic`, `fanout` or `headers`. Default: `direct`.
    pub kind: Option<String>,
}

impl Publisher {
    /// One with a connection of its own, for programs that are no service: `amqp://…`, or `memory://name` for the broker that an
    /// [`App`](crate::App) in this process uses.
    ///
    /// Returns at once when the broker is away: messages wait for it.
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

    /// The same with settings: those of [`EventDispatcher::connect_with`](super::EventDispatcher::connect_with).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and for settings of the wrong type.
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, settings: &Settings) -> Result<Self> {
        Sender::connect("kinoko publisher", url, settings).await.map(Self::new)
    }

    /// One without a broker, and what it was given to publish: for a test that builds its service by hand. It has a place to publish to,
    /// the queue `recorded`.
    pub fn recording() -> (Self, Recorded) {
        let recorded = Recorded::default();
        let place = Some((names::DEFAULT_EXCHANGE, Name::from_static("recorded")));
        (Self { place, ..Self::new(Sender::recorded(recorded.clone())) }, recorded)
    }

    pub(crate) fn new(sender: Arc<Sender>) -> Self {
        Self { sender, place: None, declaration: None }
    }

    /// A message of this payload, encoded now in the setting `serializer`. Await it.
    pub fn publish(&self, payload: &(impl Serialize + ?Sized)) -> Publish {
        self.message(|place| Sending::of(&self.sender, place, payload))
    }

    /// A message with this body as it is. Await it.
    pub fn publish_bytes(&self, content_type: impl Into<Name>, body: impl Into<Bytes>) -> Publish {
        self.message(|place| Sending::raw(&self.sender, place, Ok(body.into()))).content_type(content_type)
    }

    fn message(&self, make: impl FnOnce((Name, Name)) -> Sending) -> Publish {
        Publish {
            sending: make(self.place.clone().unwrap_or_default()),
            declaration: self.declaration.clone(),
            placed: self.place.is_some(),
            mandatory: true,
        }
    }

    /// Closes the connection of a publisher that was [`connect`](Self::connect)ed; messages that still wait fail. One that belongs to an
    /// app does nothing: the app closes its own.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the connection closes all the same.
    pub async fn close(&self) {
        self.sender.close().await;
    }
}

impl PublisherOptions {
    fn place(&self) -> Result<Option<(Name, Name)>> {
        let key = self.routing_key.clone().map(Name::from);
        match (&self.exchange, &self.queue) {
            (Some(_), Some(_)) if !self.declare => Err(wrong(
                "a `queue` beside an `exchange` says what to declare: add `declare = true`, or leave one of them out",
            )),
            (Some(exchange), _) => Ok(Some((exchange.clone().into(), key.unwrap_or_default()))),
            (None, _) if key.is_some() => {
                Err(wrong("a `routing_key` needs an `exchange`: by the default one it is the `queue`"))
            }
            (None, Some(queue)) => Ok(Some((names::DEFAULT_EXCHANGE, queue.clone().into()))),
            (None, None) if self.declare => Err(wrong("`declare` needs a `queue` or an `exchange`")),
            (None, None) => Ok(None),
        }
    }

    fn topology(&self) -> Result<Topology> {
        let kind = match self.kind.as_deref() {
            Some(_) if self.exchange.is_none() || !self.declare => {
                return Err(wrong("a `kind` is that of an `exchange` with `declare = true`"));
            }
            None | Some("direct") => ExchangeKind::Direct,
            Some("topic") => ExchangeKind::Topic,
            Some("fanout") => ExchangeKind::Fanout,
            Some("headers") => ExchangeKind::Headers,
            Some(other) => {
                return Err(wrong(format!(
                    "no kind of exchange is called `{other}`: write `direct`, `topic`, `fanout` or `headers`"
                )));
            }
        };
        let exchanges: Vec<_> = self.exchange.clone().map(|name| Exchange::durable(name, kind)).into_iter().collect();
        let queues: Vec<_> = self.queue.clone().map(Queue::durable).into_iter().collect();
        let key = self.routing_key.clone().unwrap_or_default();
        let bindings = exchanges
            .iter()
            .zip(&queues)
            .map(|(exchange, queue)| Binding::new(exchange.name.clone(), queue.name.clone(), key.clone()));
        Ok(Topology { bindings: bindings.collect(), exchanges, queues })
    }
}

fn wrong(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, text)
}

impl Dependency for Publisher {
    type Options = PublisherOptions;

    async fn setup(cx: &SetupContext, options: PublisherOptions) -> Result<Self> {
        let (place, topology) = (options.place()?, options.topology()?);
        let declaration = options.declare.then(|| Arc::new(Declaration::of(topology)));
        Ok(Self { sender: cx.sender().clone(), place, declaration })
    }

    async fn start(&self) -> Result<()> {
        match &self.declaration {
            Some(declaration) => self.sender.declare(declaration).await,
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("sender", &self.sender).field("place", &self.place).finish_non_exhaustive()
    }
}
