use std::{fmt, sync::Arc, time::Duration};

use super::direct::{Direct, Sinks};
use crate::{
    ServiceProxy, Value,
    client::{ClientSettings, RpcClient, ServiceClient, TypedClient, UntypedCall},
    codec::Codecs,
    observe::Observer,
    protocol::{Headers, context_data},
    task::Tasks,
};

/// Calls the entrypoints of running services directly, as a caller that the test describes. Nameko's `entrypoint_hook`.
///
/// From [`RunningTestApp::hook`](super::RunningTestApp::hook). A call takes no broker and no queue, so no other instance can take it;
/// from there on it goes the way of every request: limits, deadline, arguments, hooks, `#[inject]`, panics, the reply's encoding.
/// What the caller is (context data, the calls above it) goes along with every call of the clients made from it; a call's own
/// [`context`](crate::Call::context) comes before it.
///
/// # Examples
///
/// ```
/// use kinoko::{UserId, prelude::*, testing::TestApp};
///
/// #[derive(Dependencies)]
/// struct Carts;
///
/// #[service(name = "carts")]
/// impl Carts {
///     #[rpc]
///     fn owner(&self, #[inject] UserId(user): UserId, #[inject] cx: WorkerContext) -> (String, Option<String>) {
///         (user, cx.origin_call_id())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = TestApp::new().service::<Carts>().start().await?;
/// let hook = app.hook().user_id("ada").called_by(["web.checkout.1", "shop.buy.2"]);
///
/// let carts = hook.client::<CartsClient>();
/// assert_eq!(carts.owner().await?, ("ada".into(), Some("web.checkout.1".into())));
///
/// // The same by name, for what has no typed client.
/// let owner = hook.call("carts", "owner").context("user_id", "grace").await?;
/// assert_eq!(owner[0], "grace");
/// # app.stop().await }
/// ```
#[derive(Clone)]
#[must_use = "a hook does nothing until a call of its clients is awaited"]
pub struct Hook {
    sinks: Sinks,
    services: Vec<&'static str>,
    settings: ClientSettings,
    headers: Headers,
    timeout: Option<Duration>,
}

impl Hook {
    pub(super) fn new(sinks: Sinks, services: Vec<&'static str>, settings: ClientSettings) -> Self {
        Self { sinks, services, settings, headers: Headers::default(), timeout: None }
    }

    /// Context data under a key, as if the caller had sent Nameko's header `nameko.{key}`.
    pub fn context(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.headers.set(format!("{}{key}", context_data::PREFIX), value);
        self
    }

    /// The caller's language: the context data `language`.
    pub fn language(self, language: &str) -> Self {
        self.context("language", language)
    }

    /// Who calls: the context data `user_id`.
    pub fn user_id(self, id: &str) -> Self {
        self.context("user_id", id)
    }

    /// The caller's token: the context data `auth_token`.
    pub fn auth_token(self, token: &str) -> Self {
        self.context("auth_token", token)
    }

    /// The ids of the calls that led here, oldest first: the caller's own is the last.
    pub fn called_by<I: Into<String>>(mut self, ids: impl IntoIterator<Item = I>) -> Self {
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        self.headers.set(context_data::STACK_HEADER, ids);
        self
    }

    /// How long each call may take, where neither the call nor its method says: the worker's deadline. Default: the setting
    /// `rpc_timeout`, 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The typed client of a service of this test.
    pub fn client<C: TypedClient>(&self) -> C {
        C::from_client(ServiceClient::remote(self.rpc(), C::SERVICE.into(), self.timeout))
    }

    /// A call of one method by name.
    pub fn call(&self, service: impl Into<String>, method: impl Into<String>) -> UntypedCall {
        ServiceProxy::new(self.rpc(), self.timeout).call(service, method)
    }

    fn rpc(&self) -> Arc<RpcClient> {
        let codecs = Arc::new(Codecs::default());
        let direct = Direct::new(self.sinks.clone(), self.headers.clone());
        let rpc = RpcClient::new(direct, "hook", codecs, self.settings.clone(), &Tasks::new(), Observer::off());
        for service in &self.services {
            rpc.known.add(*service);
        }
        rpc
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No headers: one may be a token.
        f.debug_struct("Hook").field("services", &self.services).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
