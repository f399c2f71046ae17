//! What a user writes: `events.in_tx(&mut tx).dispatch(…)`.

use std::{
    fmt,
    future::IntoFuture,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use sqlx::Any;

use super::write;
use crate::{
    dependency::OptionValue,
    event::{Dispatch, DispatchError, Event, EventDispatcher, Prepared, Publish, Publisher},
    protocol::{Name, Value},
    sql::{Backend, Tx},
};

/// Sending within a transaction: `events.in_tx(&mut tx).dispatch(…)`, `publisher.in_tx(&mut tx).publish(…)`.
///
/// What is awaited then is written into the table `kinoko_outbox` of the transaction. If that commits, it goes to the broker at once, and
/// again until the broker has confirmed it, whatever becomes of this process; if not, it never does.
///
/// # Delivery
///
/// At least once: where a process dies between the broker's confirm and the row's end, the message goes out again under its message id,
/// by which handlers that are `idempotent` know it. [`ordered_by`](TxMessage::ordered_by) tells of order.
///
/// Any program that runs services on the database sends what is in its outbox, over its own broker.
///
/// # Examples
///
/// ```
/// use kinoko::{prelude::*, sql::{Database, Tx}};
/// use serde::{Deserialize, Serialize};
///
/// #[event(source = "orders", name = "order_placed")]
/// #[derive(Serialize, Deserialize)]
/// struct OrderPlaced {
///     order: i64,
/// }
///
/// #[derive(Dependencies)]
/// struct Orders {
///     #[dependency(url = "sqlite::memory:")]
///     db: Database,
///     events: EventDispatcher,
/// }
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     async fn place(&self, #[inject] mut tx: Tx, order: i64) -> kinoko::Result<()> {
///         sqlx::query("CREATE TABLE IF NOT EXISTS placed (id BIGINT PRIMARY KEY)").execute(&mut *tx).await?;
///         sqlx::query("INSERT INTO placed VALUES ($1)").bind(order).execute(&mut *tx).await?;
///         self.events.in_tx(&mut tx).dispatch(&OrderPlaced { order }).await?;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// // A test builds the service by hand. What a transaction dispatches shows when it has committed.
/// let (events, dispatched) = EventDispatcher::recording();
/// let db = Database::connect("sqlite::memory:").await?;
/// let orders = OrdersClient::from_service(Orders { db, events });
/// orders.place(7).await?;
/// assert!(orders.place(7).await.is_err(), "it is there already");
/// assert_eq!(dispatched.events::<OrderPlaced>()?.len(), 1);
/// # Ok(()) }
/// ```
pub trait InTx: sealed::Sealed + Sized {
    /// Sends within this transaction, the worker's or one of your own.
    fn in_tx<'t, D: Backend>(&'t self, tx: &'t mut Tx<D>) -> TxSender<'t, Self, D>;
}

mod sealed {
    #[allow(unnameable_types, reason = "that is what seals")]
    pub trait Sealed {}
}

macro_rules! in_tx {
    ($($sender:ty),*) => { $(
        impl sealed::Sealed for $sender {}

        impl InTx for $sender {
            fn in_tx<'t, D: Backend>(&'t self, tx: &'t mut Tx<D>) -> TxSender<'t, Self, D> {
                TxSender { sender: self, tx }
            }
        }
    )* };
}

in_tx!(EventDispatcher, Publisher);

/// A dispatcher or a publisher within a transaction: what [`InTx::in_tx`] returns.
#[must_use = "it sends nothing by itself"]
pub struct TxSender<'t, S, D: Backend = Any> {
    sender: &'t S,
    tx: &'t mut Tx<D>,
}

impl<'t, D: Backend> TxSender<'t, EventDispatcher, D> {
    /// A dispatch of an event, which is encoded now. Await it.
    pub fn dispatch<E: Event>(self, event: &E) -> TxMessage<'t, Dispatch, D> {
        TxMessage::new(self.sender.dispatch(event), self.tx)
    }

    /// A dispatch of an event that no type describes, as [`EventDispatcher::dispatch_to`].
    pub fn dispatch_to(
        self,
        source: impl Into<Name>,
        name: impl Into<Name>,
        payload: &(impl Serialize + ?Sized),
    ) -> TxMessage<'t, Dispatch, D> {
        TxMessage::new(self.sender.dispatch_to(source, name, payload), self.tx)
    }
}

impl<'t, D: Backend> TxSender<'t, Publisher, D> {
    /// A message of this payload, encoded now. Await it.
    pub fn publish(self, payload: &(impl Serialize + ?Sized)) -> TxMessage<'t, Publish, D> {
        TxMessage::new(self.sender.publish(payload), self.tx)
    }

    /// A message with this body as it is. Await it.
    pub fn publish_bytes(self, content_type: impl Into<Name>, body: impl Into<Bytes>) -> TxMessage<'t, Publish, D> {
        TxMessage::new(self.sender.publish_bytes(content_type, body), self.tx)
    }
}

/// A [`Dispatch`] or a [`Publish`] within a transaction, not yet written. Await it: the answer is its message id.
///
/// It has their setters, but for `timeout`: nobody waits for the broker here, and the relay does for as long as it takes.
///
/// ```compile_fail,E0599
/// # use kinoko::{prelude::*, sql::Tx};
/// # async fn show(events: EventDispatcher, mut tx: Tx) -> kinoko::Result<()> {
/// events.in_tx(&mut tx).dispatch_to("orders", "placed", &7).timeout("5s").await?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`DispatchError::TooLarge`], [`Encode`](DispatchError::Encode) and [`Invalid`](DispatchError::Invalid) for what could never be sent;
/// [`NotWritten`](DispatchError::NotWritten) with what the database says. What the broker says comes later: a message that it does not take
/// stays in the outbox and is tried again, see [`Database::outbox`](crate::sql::Database::outbox).
///
/// # Cancel safety
///
/// Dropped while it is awaited, it was written or not: let go of the transaction as well.
#[must_use = "nothing is written until this is awaited"]
pub struct TxMessage<'t, M, D: Backend = Any> {
    message: M,
    tx: &'t mut Tx<D>,
    ordered_by: Option<String>,
}

impl<'t, M, D: Backend> TxMessage<'t, M, D> {
    fn new(message: M, tx: &'t mut Tx<D>) -> Self {
        Self { message, tx, ordered_by: None }
    }

    /// Sends it after all that was committed before under the same key: the order, the account, whatever its events tell of. Each waits for
    /// the confirm of the one before, also while that one cannot be sent; other keys go on meanwhile.
    ///
    /// On PostgreSQL transactions that write under one key wait for each other from here to their end, since the order would be nobody's
    /// otherwise. A message that is sent later (`after`, `at`) has no place in an order: both together is [`DispatchError::Invalid`].
    ///
    /// Default: what one transaction sends without a key keeps its order, and waits for no other transaction's.
    pub fn ordered_by(mut self, key: impl ToString) -> Self {
        self.ordered_by = Some(key.to_string());
        self
    }
}

/// Setters of the message itself.
macro_rules! setters {
    ($message:ty: $($(#[$doc:meta])* fn $setter:ident($($name:ident: $type:ty),*);)*) => {
        impl<D: Backend> TxMessage<'_, $message, D> {$(
            $(#[$doc])*
            pub fn $setter(mut self, $($name: $type),*) -> Self {
                self.message = self.message.$setter($($name),*);
                self
            }
        )*}
    };
}

macro_rules! common_setters {
    ($($message:ty),*) => {$(
        setters! { $message:
            /// A header, under this very name.
            fn header(name: impl Into<Name>, value: impl Into<Value>);
            /// Context data, sent as Nameko's header `nameko.{key}`. It passes on along all that the handlers do.
            fn context(key: &str, value: impl Into<Value>);
            /// What identifies it, instead of a new UUID.
            fn message_id(id: impl Into<Name>);
            /// Its priority in queues that have any, the highest first. Default: 0.
            fn priority(priority: u8);
            /// Sends it after this time, counted from now: a [`Duration`] or a text such as `5m`. The database keeps it, for as long as you like.
            fn after(delay: impl OptionValue<Duration>);
            /// Sends it at this time, as [`after`](Self::after) does; one that is over means now.
            fn at(time: SystemTime);
        }
    )*};
}

common_setters!(Dispatch, Publish);

setters! { Dispatch:
    /// That nobody listens holds it back until somebody does, as for types with `#[event(required)]`.
    fn required();
}

setters! { Publish:
    /// Sends it to this queue, by the default exchange.
    fn to_queue(queue: impl Into<Name>);
    /// Sends it to this exchange, with this routing key.
    fn to_exchange(exchange: impl Into<Name>, routing_key: impl Into<Name>);
    /// Sends it with this routing key, to the exchange that is set already.
    fn routing_key(routing_key: impl Into<Name>);
    /// Whether it is held back until some queue takes it. Default: it is.
    fn mandatory(mandatory: bool);
    /// Whether it survives a restart of the broker in a durable queue. Default: it does.
    fn persistent(persistent: bool);
    /// How long it is worth delivering, counted from when it is sent.
    fn expiration(after: impl OptionValue<Duration>);
    /// When it was made, which AMQP knows to the second.
    fn timestamp(time: SystemTime);
    /// Says how the body is encoded, instead of what the codec says.
    fn content_type(text: impl Into<Name>);
    /// Says the text's encoding, such as `utf-8`, or `binary`.
    fn content_encoding(text: impl Into<Name>);
    /// What ties it to another message.
    fn correlation_id(text: impl Into<Name>);
    /// Where an answer is to go.
    fn reply_to(text: impl Into<Name>);
    /// AMQP's `type`: what the message is.
    fn message_type(text: impl Into<Name>);
    /// Which program made it.
    fn app_id(text: impl Into<Name>);
    /// The broker's user who publishes it. The broker refuses any other one than that of the relay's connection.
    fn user_id(text: impl Into<Name>);
}

macro_rules! into_future {
    ($($message:ty),*) => {$(
        impl<'t, D: Backend> IntoFuture for TxMessage<'t, $message, D> {
            type Output = Result<Name, DispatchError>;
            type IntoFuture = BoxFuture<'t, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                let Self { message, tx, ordered_by } = self;
                let prepared: Result<Prepared, _> = message.prepare();
                Box::pin(async move { write::write(tx, prepared?, ordered_by).await })
            }
        }
    )*};
}

into_future!(Dispatch, Publish);

impl<S: fmt::Debug, D: Backend> fmt::Debug for TxSender<'_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TxSender").field(&self.sender).finish()
    }
}

impl<M: fmt::Debug, D: Backend> fmt::Debug for TxMessage<'_, M, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, ordered_by, .. } = self;
        f.debug_struct("TxMessage").field("message", message).field("ordered_by", ordered_by).finish_non_exhaustive()
    }
}
