//! What dispatchers and publishers share: the connection, the limits, and the way a message goes out.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    DispatchError,
    attempts::{Attempts, Declaration},
    recorded::Recorded,
    unrouted::Unrouted,
};
use crate::{
    Result,
    client::{body_limit, format_setting},
    codec::Format,
    config::Settings,
    observe::Observer,
    protocol::{Message, Name, context_data, names},
    transport::{Exchange, ExchangeKind, Published, Topology, Transport, TransportOptions, connect},
};

/// What is sent where nothing else is said.
#[derive(Debug, Clone)]
pub(crate) struct SenderSettings {
    pub(super) format: Format,
    pub(crate) timeout: Duration,
    pub(super) parent_calls_tracked: usize,
    max_body_bytes: usize,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            format: Format::Json,
            timeout: Duration::from_secs(30),
            parent_calls_tracked: context_data::PARENT_CALLS_TRACKED,
            max_body_bytes: 16 * 1024 * 1024,
        }
    }
}

impl SenderSettings {
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let defaults = Self::default();
        let timeout = settings.duration("dispatch_timeout", defaults.timeout)?;
        if timeout.is_zero() {
            return Err(settings.refuse("dispatch_timeout", "`0s` would send nothing; leave it out for `30s`"));
        }
        Ok(Self {
            format: format_setting(settings, "serializer", defaults.format)?,
            timeout,
            parent_calls_tracked: settings.get("parent_calls_tracked")?.unwrap_or(defaults.parent_calls_tracked),
            max_body_bytes: body_limit(settings)?,
        })
    }
}

/// The sending side of one program.
pub(crate) struct Sender {
    pub(super) target: Target,
    pub(crate) settings: SenderSettings,
    pub(super) observer: Arc<Observer>,
    pub(super) unrouted: Unrouted,
    /// The exchanges of events, by the service that they belong to.
    exchanges: Mutex<HashMap<Name, Arc<Declaration>>>,
}

pub(super) enum Target {
    /// The connection of a program's services.
    Shared(Arc<dyn Transport>),
    /// One of its own.
    Own(Arc<dyn Transport>),
    /// None: a test looks at what was sent.
    Recorded(Recorded),
}

impl Sender {
    pub(crate) fn shared(
        transport: Arc<dyn Transport>,
        settings: SenderSettings,
        observer: Arc<Observer>,
    ) -> Arc<Self> {
        Self::to(Target::Shared(transport), settings, observer)
    }

    /// With a connection of its own.
    pub(super) async fn connect(connection_name: &str, url: &str, settings: &Settings) -> Result<Arc<Self>> {
        let options = TransportOptions::from_settings(connection_name, settings)?;
        let settings = SenderSettings::read(settings)?;
        Ok(Self::to(Target::Own(connect(url, options).await?), settings, Observer::off()))
    }

    pub(super) fn recorded(recorded: Recorded) -> Arc<Self> {
        Self::to(Target::Recorded(recorded), SenderSettings::default(), Observer::off())
    }

    fn to(target: Target, settings: SenderSettings, observer: Arc<Observer>) -> Arc<Self> {
        Arc::new(Self { target, settings, observer, unrouted: Unrouted::default(), exchanges: Mutex::default() })
    }

    /// Closes a connection of its own; the one of a program's services is theirs.
    pub(super) async fn close(&self) {
        if let Target::Own(transport) = &self.target {
            transport.close().await;
        }
    }

    /// The exchange of a service's events.
    pub(super) fn events_of(&self, source: &Name) -> Arc<Declaration> {
        let mut exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(declaration) = exchanges.get(source) {
            return declaration.clone();
        }
        let exchange = Exchange::durable(names::event_exchange(source), ExchangeKind::Topic);
        let topology = Topology { exchanges: vec![exchange], ..Topology::default() };
        exchanges.entry(source.clone()).or_insert(Arc::new(Declaration::of(topology))).clone()
    }

    /// Declares something before anything is sent. Waits for the broker.
    pub(super) async fn declare(&self, declaration: &Declaration) -> Result<()> {
        match &self.target {
            Target::Shared(transport) | Target::Own(transport) => declaration.ensure(&**transport).await,
            Target::Recorded(_) => Ok(()),
        }
    }

    /// Publishes until the broker confirms or refuses, or the time is over. What may have been lost on the way is published again under
    /// the same message id.
    pub(crate) async fn send(
        &self,
        message: &Message,
        declaration: Option<&Declaration>,
        due: Option<Instant>,
        limit: Duration,
    ) -> Result<Published, DispatchError> {
        self.check_size(message)?;
        let transport = match &self.target {
            Target::Shared(transport) | Target::Own(transport) => transport,
            Target::Recorded(recorded) => return Ok(recorded.keep(message, due)),
        };
        Attempts::new(&**transport, message, declaration, due).within(limit).await
    }

    /// What counts the messages of an outbox, by what became of them.
    #[cfg(feature = "sql")]
    pub(crate) fn relayed(&self, outcome: &'static str) -> Arc<crate::observe::Tally> {
        let help = "Messages of the outbox, by what became of them: sent, or refused and tried again";
        self.observer.tally("kinoko_outbox_relayed", help, &[("outcome", outcome)])
    }

    pub(super) fn check_size(&self, message: &Message) -> Result<(), DispatchError> {
        let (bytes, limit) = (message.body.len(), self.settings.max_body_bytes);
        if bytes > limit { Err(DispatchError::TooLarge { bytes, limit }) } else { Ok(()) }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Shared(transport) | Target::Own(transport) => transport.fmt(f),
            Target::Recorded(recorded) => recorded.fmt(f),
        }
    }
}
