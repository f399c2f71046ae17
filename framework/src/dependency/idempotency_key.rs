use std::{
    fmt,
    future::{Future, ready},
};

use super::FromWorker;
use crate::{context::WorkerContext, protocol::Fault};

/// What the caller knows its call by, injected: whoever asks again for the same thing asks under the same key.
///
/// It is the one that the caller [gave](crate::client::Call::idempotency_key); where it gave none, the call's own id, which no other call has.
/// For methods that start something under an id, such as a saga, or write rows that have one. `#[rpc(idempotent)]` needs no parameter.
///
/// # Examples
///
/// ```
/// use kinoko::{IdempotencyKey, prelude::*};
///
/// #[derive(Dependencies)]
/// struct Orders;
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     fn place(&self, #[inject] key: IdempotencyKey) -> String {
///         format!("order {key}")
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = App::new().service::<Orders>().start().await?;
/// let orders = app.client::<OrdersClient>();
/// assert_eq!(orders.place().idempotency_key("ada-17").await?, "order ada-17");
/// assert!(orders.place().await?.starts_with("order orders.place."));
/// # app.stop().await }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub String);

impl<S: Sync> FromWorker<S> for IdempotencyKey {
    fn from_worker(_: &S, cx: &WorkerContext) -> impl Future<Output = Result<Self, Fault>> + Send {
        ready(Ok(Self(cx.idempotency_key().unwrap_or_else(|| cx.call_id().to_owned()))))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
