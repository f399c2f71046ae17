use async_trait::async_trait;

use super::Identity;
use crate::Result;

/// Who knows which tokens are not to be believed any more, before their time is over.
///
/// It is asked for every call whose token is looked at, also where the token was verified before: whoever asks a database keeps what it
/// answers for a while. Give it to a [`Jwt`](super::Jwt) with [`revoked_by`](super::Jwt::revoked_by).
///
/// # Examples
///
/// A dependency that is one, and tells the service's `Jwt` so:
///
/// ```
/// use kinoko::{async_trait, auth::{Identity, Jwt, Revocation}, prelude::*, testing::TestApp};
/// use serde_json::json;
/// use std::{collections::HashSet, sync::{Arc, Mutex}};
///
/// #[derive(Clone, Default)]
/// struct LoggedOut(Arc<Mutex<HashSet<String>>>);
///
/// #[async_trait]
/// impl Revocation for LoggedOut {
///     async fn is_revoked(&self, token: &Identity) -> kinoko::Result<bool> {
///         Ok(token.token_id().is_some_and(|id| self.0.lock().unwrap().contains(id)))
///     }
/// }
///
/// impl Dependency for LoggedOut {
///     type Options = ();
///     async fn setup(cx: &SetupContext, _: ()) -> kinoko::Result<Self> {
///         let this = Self::default();
///         cx.require::<Jwt>().await?.revoked_by(this.clone())?;
///         Ok(this)
///     }
/// }
///
/// #[derive(Dependencies)]
/// struct Orders {
///     jwt: Jwt,
///     logged_out: LoggedOut,
/// }
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     #[guard]
///     fn log_out(&self, #[inject] who: Identity) {
///         self.logged_out.0.lock().unwrap().extend(who.token_id().map(str::to_owned));
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = TestApp::new().service::<Orders>().start().await?;
/// let token = app.token(&json!({"sub": "ada"}))?;
/// let orders = app.client::<OrdersClient>();
/// orders.log_out().auth_token(&token).await?;
/// assert!(matches!(orders.log_out().auth_token(&token).await, Err(CallError::Unauthenticated(_))));
/// # app.stop().await }
/// ```
#[async_trait]
pub trait Revocation: Send + Sync + 'static {
    /// Whether a token, valid otherwise, is revoked.
    ///
    /// # Errors
    ///
    /// Refuse the call as one that may be repeated: 503. The same after 5 s without an answer, and for a panic.
    async fn is_revoked(&self, token: &Identity) -> Result<bool>;
}
