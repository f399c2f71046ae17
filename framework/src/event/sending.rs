//! A message that is made and not yet sent: what a dispatch and a publish have in common.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

use super::{DispatchError, attempts::Declaration, sender::Sender};
use crate::{
    context::WorkerContext,
    dependency::OptionValue,
    observe::Trace,
    protocol::{Message, Name, Properties, Value, context_data, names},
    transport::{Published, check_delay},
};

/// No message waits longer for the broker: there is no point in time beyond it to wait for.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A message and how it is to be sent. Its context is that of the worker that makes it, wherever it is awaited.
#[derive(Clone)]
pub(super) struct Sending {
    pub(super) sender: Arc<Sender>,
    /// Or why there is none.
    pub(super) message: Result<Message, DispatchError>,
    /// When its worker has to be done.
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    pub(super) delay: Delay,
    /// Its own place in a trace, which its handlers find themselves inside.
    trace: Option<Trace>,
    /// The service that sends; `None`: outside any worker.
    owner: Option<&'static str>,
}

/// The setters that [`Dispatch`](super::Dispatch) and [`Publish`](super::Publish) have in common.
macro_rules! common_setters {
    ($sent:ident) => {
        impl $sent {
            /// Sends it at this time, as [`after`](Self::after) does; one that is over means now.
            pub fn at(mut self, time: SystemTime) -> Self {
                self.sending.at(time);
                self
            }

            /// How long it may take, a [`Duration`] or a text such as `5s`, while the broker is away or does not confirm.
            pub fn timeout(mut self, timeout: impl OptionValue<Duration>) -> Self {
                self.sending.timeout(timeout);
                self
            }

            /// A header, under this very name.
            pub fn header(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Self {
                self.sending.header(name.into(), value.into());
                self
            }

            /// Context data, sent as Nameko's header `nameko.{key}`. It passes on along all that the handlers do.
            pub fn context(self, key: &str, value: impl Into<Value>) -> Self {
                self.header(format!("{}{key}", context_data::PREFIX), value)
            }

            /// What identifies it, instead of a new UUID: two with the same id are one and the same to those who look.
            pub fn message_id(mut self, id: impl Into<Name>) -> Self {
                let id = id.into();
                self.sending.set(|properties| properties.message_id = Some(id));
                self
            }

            /// Its priority in queues that have any, the highest first. Default: 0.
            pub fn priority(mut self, priority: u8) -> Self {
                self.sending.set(|properties| properties.priority = Some(priority));
                self
            }
        }
    };
}
pub(super) use common_setters;

#[derive(Clone, Copy)]
pub(super) enum Delay {
    None,
    After(Duration),
    At(SystemTime),
}

impl Delay {
    /// How long it is from a point in time on.
    pub(super) fn since(self, now: SystemTime) -> Duration {
        match self {
            Self::None => Duration::ZERO,
            Self::After(delay) => delay,
            // What is in the past is due.
            Self::At(time) => time.duration_since(now).unwrap_or_default(),
        }
    }
}

impl Sending {
    /// A payload, encoded now.
    pub(super) fn of(sender: &Arc<Sender>, place: (Name, Name), payload: &(impl Serialize + ?Sized)) -> Self {
        let format = &sender.settings.format;
        let encoded = format.encode(payload).map_err(|error| DispatchError::Encode(error.0));
        let mut sending = Self::raw(sender, place, encoded);
        sending.set(|properties| {
            properties.content_type = Some(format.content_type());
            properties.content_encoding = Some(format.content_encoding());
        });
        sending
    }

    /// A body as it is, with the properties that Nameko gives to what it publishes, and a message id.
    pub(super) fn raw(
        sender: &Arc<Sender>,
        (exchange, routing_key): (Name, Name),
        body: Result<Bytes, DispatchError>,
    ) -> Self {
        let context = WorkerContext::current();
        let mut properties = Properties {
            message_id: Some(Uuid::new_v4().to_string().into()),
            priority: Some(0),
            persistent: true,
            ..Properties::default()
        };
        let trace = sender.observer.tracer().within(Instant::now(), context.as_ref().and_then(WorkerContext::trace));
        match (&context, trace) {
            (Some(context), trace) => {
                context.pass_on(&mut properties, sender.settings.parent_calls_tracked, false, trace);
            }
            (None, Some(trace)) => context_data::write_trace_parent(&mut properties, &trace.own.header(), false),
            (None, None) => {}
        }
        Self {
            sender: sender.clone(),
            message: body.map(|body| Message { exchange, routing_key, properties, body }),
            deadline: context.as_ref().and_then(WorkerContext::deadline),
            timeout: None,
            delay: Delay::None,
            trace,
            owner: context.as_ref().map(WorkerContext::service),
        }
    }

    /// Changes the message, if there is one.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Message)) {
        if let Ok(message) = &mut self.message {
            change(message);
        }
    }

    pub(super) fn set(&mut self, set: impl FnOnce(&mut Properties)) {
        self.change(|message| set(&mut message.properties));
    }

    pub(super) fn header(&mut self, name: Name, value: Value) {
        self.set(|properties| properties.headers.set(name, value));
    }

    pub(super) fn timeout(&mut self, timeout: impl OptionValue<Duration>) {
        self.timeout = self.duration(timeout).or(self.timeout);
    }

    pub(super) fn after(&mut self, delay: impl OptionValue<Duration>) {
        self.delay = self.duration(delay).map_or(self.delay, Delay::After);
    }

    pub(super) fn at(&mut self, time: SystemTime) {
        self.delay = Delay::At(time);
    }

    /// A duration; a text that is none shows when the message is sent.
    pub(super) fn duration(&mut self, value: impl OptionValue<Duration>) -> Option<Duration> {
        match value.convert() {
            Ok(duration) => Some(duration),
            Err(text) => {
                self.message = Err(DispatchError::Invalid(text));
                None
            }
        }
    }

    pub(super) fn message(&self) -> Option<&Message> {
        self.message.as_ref().ok()
    }

    /// Sends it. The message comes back with the broker's word on it.
    pub(super) async fn send(
        self,
        declaration: Option<Arc<Declaration>>,
    ) -> Result<(Message, Published), DispatchError> {
        let message = self.message?;
        fits(&message)?;
        let now = Instant::now();
        let delay = self.delay.since(SystemTime::now());
        check_delay(delay).map_err(|error| DispatchError::from_transport(&error))?;
        let due = (!delay.is_zero()).then(|| now + delay);
        let left = self.deadline.map_or(LONGEST, |deadline| deadline.saturating_duration_since(now));
        let limit = self.timeout.unwrap_or(self.sender.settings.timeout).min(left);
        let watch = self.sender.observer.publishes(self.trace, self.owner, now);
        let published = self.sender.send(&message, declaration.as_deref(), due, limit).await;
        watch.end(&message, published.as_ref().ok().copied());
        Ok((message, published?))
    }
}

/// What AMQP has no room for is refused on every transport.
pub(super) fn fits(message: &Message) -> Result<(), DispatchError> {
    let Message { exchange, routing_key, properties, .. } = message;
    if properties.message_id.as_deref() == Some("") {
        let text = "an empty message id tells it from no other: leave it out, and it is given one";
        return Err(DispatchError::Invalid(text.to_owned()));
    }
    let texts = [
        ("exchange", Some(exchange)),
        ("routing key", Some(routing_key)),
        ("content type", properties.content_type.as_ref()),
        ("content encoding", properties.content_encoding.as_ref()),
        ("correlation id", properties.correlation_id.as_ref()),
        ("reply queue", properties.reply_to.as_ref()),
        ("message id", properties.message_id.as_ref()),
        ("type", properties.kind.as_ref()),
        ("app id", properties.app_id.as_ref()),
        ("user id", properties.user_id.as_ref()),
    ];
    for (what, text) in texts {
        let bytes = text.map_or(0, |text| text.len());
        if bytes > names::MAX_BYTES {
            let text = format!("the {what} is {bytes} bytes long, AMQP allows {}", names::MAX_BYTES);
            return Err(DispatchError::Invalid(text));
        }
    }
    Ok(())
}
