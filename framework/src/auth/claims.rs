use std::{fmt, ops::Deref};

use serde::de::DeserializeOwned;

use super::{Identity, Invalid, Jwt, Unverified, denied};
use crate::{
    context::WorkerContext,
    dependency::{FromWorker, Has},
    protocol::{Fault, Value},
};

/// The claims of the caller's verified token, as a type of the program's own.
///
/// `#[inject] claims: Claims<Shopper>` in a method of a service with a [`Jwt`]: a call without a valid token is refused, also where nothing
/// guards the method. In a `#[public]` one `Option<Claims<…>>` is `None` for whoever has no valid token.
///
/// # Examples
///
/// ```
/// use kinoko::{auth::{Claims, Jwt}, prelude::*, testing::TestApp};
/// use serde_json::json;
///
/// #[derive(serde::Deserialize)]
/// struct Shopper {
///     sub: String,
///     tenant: String,
/// }
///
/// #[derive(Dependencies)]
/// struct Orders {
///     jwt: Jwt,
/// }
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     #[guard]
///     fn mine(&self, #[inject] claims: Claims<Shopper>) -> String {
///         format!("the orders of {} at {}", claims.sub, claims.tenant)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = TestApp::new().service::<Orders>().start().await?;
/// let orders = app.client::<OrdersClient>();
/// let token = app.token(&json!({"sub": "ada", "tenant": "acme"}))?;
/// assert_eq!(orders.mine().auth_token(&token).await?, "the orders of ada at acme");
/// assert!(matches!(orders.mine().await, Err(CallError::Unauthenticated(_))));
/// # app.stop().await }
/// ```
#[derive(Clone)]
pub struct Claims<T> {
    claims: T,
    identity: Identity,
}

impl<T: DeserializeOwned> Claims<T> {
    /// Reads them.
    pub(super) fn read(identity: Identity) -> Result<Self, Unverified> {
        // The text names the claim, and not its value.
        let claims: Result<T, serde_path_to_error::Error<_>> =
            serde_path_to_error::deserialize(&Value::Object(identity.claims().clone()));
        match claims {
            Ok(claims) => Ok(Self { claims, identity }),
            Err(error) => {
                Err(Invalid::Misfit(format!("`{}` is not as the program's type has it", error.path())).into())
            }
        }
    }
}

impl<T> Claims<T> {
    /// What every token says.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The claims alone.
    pub fn into_inner(self) -> T {
        self.claims
    }
}

impl<T> Deref for Claims<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.claims
    }
}

impl<T> fmt::Debug for Claims<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("subject", &self.identity.subject()).finish_non_exhaustive()
    }
}

impl<S: Has<Jwt> + Sync, T: DeserializeOwned + Send> FromWorker<S> for Claims<T> {
    async fn from_worker(service: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        let identity = required(service.get(), cx).await?;
        Self::read(identity).map_err(|refused| denied::unauthenticated(cx, &refused))
    }
}

impl<S: Has<Jwt> + Sync, T: DeserializeOwned + Send> FromWorker<S> for Option<Claims<T>> {
    async fn from_worker(service: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        let Some(identity) = believed(service.get(), cx).await? else { return Ok(None) };
        Claims::read(identity).map(Some).map_err(|refused| denied::unauthenticated(cx, &refused))
    }
}

/// Who calls, for what cannot do without.
pub(super) async fn required(jwt: &Jwt, cx: &WorkerContext) -> Result<Identity, Fault> {
    match jwt.identify(cx).await {
        Ok(Some(identity)) => Ok(identity),
        Ok(None) => Err(denied::nobody(cx)),
        Err(refused) => Err(denied::unauthenticated(cx, &refused)),
    }
}

/// Who calls, if anybody is to be believed.
pub(super) async fn believed(jwt: &Jwt, cx: &WorkerContext) -> Result<Option<Identity>, Fault> {
    match jwt.identify(cx).await {
        Ok(identity) => Ok(identity),
        Err(Unverified::Invalid(invalid)) => {
            tracing::debug!(service = cx.service(), method = cx.entrypoint(), %invalid, "a token is not believed");
            Ok(None)
        }
        Err(refused) => Err(denied::unauthenticated(cx, &refused)),
    }
}
