//! Sends events.

use std::{fmt, future::IntoFuture, sync::Arc};

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::{Dispatch, DispatchError, Dispatched, Event, Recorded, UnroutedEvent, sender::Sender, sending::Sending};
use crate::{
    Result,
    config::Settings,
    dependency::{Dependency, SetupContext},
    protocol::{Name, names},
};

/// How many of [`EventDispatcher::dispatch_all`] are under way at once: what the transport publishes before it waits for a confirm.
const WINDOW: usize = 256;

/// Dispatches events: a field of a service, [`RunningApp::events`](crate::RunningApp::events), or [`connect`](Self::connect)ed on its own
/// in a program that is no service. Cheap to clone.
///
/// Events are sent in the setting `serializer`, to the exchange `{source}.events`, with the event's name as routing key: as Nameko does.
///
/// # Examples
///
/// ```
/// use kinoko::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[event(source = "orders", name = "order_placed")]
/// #[derive(Serialize, Deserialize, Debug, PartialEq)]
/// struct OrderPlaced {
///     order: u64,
/// }
///
/// #[derive(Dependencies)]
/// struct Orders {
///     events: EventDispatcher,
/// }
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     async fn place(&self, order: u64) -> kinoko::Result<()> {
///         self.events.dispatch(&OrderPlaced { order }).await?;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// // A test builds the service by hand, and looks at what it dispatched.
/// let (events, dispatched) = EventDispatcher::recording();
/// let orders = OrdersClient::from_service(Orders { events });
/// orders.place(7).await?;
/// assert_eq!(dispatched.events::<OrderPlaced>()?, [OrderPlaced { order: 7 }]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct EventDispatcher(Arc<Sender>);

impl EventDispatcher {
    pub(crate) fn new(sender: Arc<Sender>) -> Self {
        Self(sender)
    }

    /// One with a connection of its own, for programs that are no service: `amqp://…`, or `memory://name` for the broker that an
    /// [`App`](crate::App) in this process uses.
    ///
    /// Returns at once when the broker is away: dispatches wait for it.
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

    /// The same with settings: `dispatch_timeout`, `serializer`, `max_body_bytes`, `parent_calls_tracked`, and for the connection
    /// `heartbeat`, `amqp_tls` and `login_method`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and for settings of the wrong type.
    ///
    /// # Cancel safety
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, settings: &Settings) -> Result<Self> {
        Sender::connect("kinoko dispatcher", url, settings).await.map(Self)
    }

    /// One without a broker, and what it was given to dispatch: for a test that builds its service by hand.
    pub fn recording() -> (Self, Recorded) {
        let recorded = Recorded::default();
        (Self(Sender::recorded(recorded.clone())), recorded)
    }

    /// A dispatch of an event, which is encoded now. Await it.
    pub fn dispatch<E: Event>(&self, event: &E) -> Dispatch {
        let mut dispatch = self.dispatch_to(E::EVENT.source, E::EVENT.name, event);
        dispatch.required = E::REQUIRED;
        dispatch
    }

    /// A dispatch of an event that no type describes: its source, its name, and what it carries.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// # let events = kinoko::EventDispatcher::connect("memory://").await?;
    /// let payload = serde_json::json!({"order": 7});
    /// let error = events.dispatch_to("legacy_orders", "placed", &payload).required().await.unwrap_err();
    /// assert_eq!(error.to_string(), "nobody listens to event `placed` of `legacy_orders`: no queue is bound for it");
    /// # Ok(()) }
    /// ```
    pub fn dispatch_to(
        &self,
        source: impl Into<Name>,
        name: impl Into<Name>,
        payload: &(impl Serialize + ?Sized),
    ) -> Dispatch {
        let source = source.into();
        let place = (names::event_exchange(&source), name.into());
        Dispatch { sending: Sending::of(&self.0, place, payload), source, required: false }
    }

    /// Dispatches many events, 256 of them at once, and returns what became of each, in their order. They may arrive in another one.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, some were dispatched.
    pub async fn dispatch_all<'a, E: Event>(
        &self,
        events: impl IntoIterator<Item = &'a E>,
    ) -> Vec<Result<Dispatched, DispatchError>> {
        let dispatches = events.into_iter().map(|event| self.dispatch(event).into_future());
        stream::iter(dispatches).buffered(WINDOW).collect().await
    }

    /// The events that this program dispatched while nobody listened, each with how often.
    pub fn unrouted(&self) -> Vec<UnroutedEvent> {
        self.0.unrouted.list()
    }

    /// Closes the connection of a dispatcher that was [`connect`](Self::connect)ed; dispatches that still wait fail. One that belongs to an
    /// app does nothing: the app closes its own.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the connection closes all the same.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl Dependency for EventDispatcher {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        Ok(Self(cx.sender().clone()))
    }
}

impl fmt::Debug for EventDispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventDispatcher").field(&self.0).finish()
    }
}
