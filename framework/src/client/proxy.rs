//! Calls by name, for scripts, shells, tests, and services that no type describes.

use std::{convert::Infallible, fmt, future::IntoFuture, marker::PhantomData, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Map;

use super::{Call, CallError, PendingReply, ProxyOptions, RpcClient, ServiceClient};
use crate::{
    Result,
    codec::EncodeError,
    dependency::{Dependency, SetupContext},
    protocol::{Name, Value, context_data, encode_request},
};

/// Calls any method of any service by name, with dynamic values.
///
/// A dependency like a typed client; requests travel in JSON (the setting `serializer`).
///
/// # Examples
///
/// ```
/// use kinoko::prelude::*;
/// # #[derive(Dependencies)] struct Adder;
/// # #[service(name = "adder")] impl Adder { #[rpc] fn add(&self, a: u32, b: u32) -> u32 { a + b } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// # let app = kinoko::App::new().service::<Adder>().start().await?;
/// let proxy = app.proxy();
/// let sum = proxy.call("adder", "add").arg(1).kwarg("b", 2).await?;
/// assert_eq!(sum, 3);
///
/// let error = proxy.call("addre", "add").await.unwrap_err();
/// assert_eq!(error.to_string(), "no service `addre`: did you mean `adder`?");
/// # app.stop().await }
/// ```
#[derive(Clone)]
pub struct ServiceProxy {
    rpc: Arc<RpcClient>,
    timeout: Option<Duration>,
}

impl ServiceProxy {
    pub(crate) fn new(rpc: Arc<RpcClient>, timeout: Option<Duration>) -> Self {
        Self { rpc, timeout }
    }

    /// A call of one method.
    pub fn call(&self, service: impl Into<String>, method: impl Into<String>) -> UntypedCall {
        UntypedCall {
            rpc: self.rpc.clone(),
            service: service.into().into(),
            method: method.into().into(),
            args: Vec::new(),
            kwargs: Map::new(),
            timeout: self.timeout,
            headers: Vec::new(),
            unencodable: None,
        }
    }
}

impl fmt::Debug for ServiceProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceProxy").finish_non_exhaustive()
    }
}

impl Dependency for ServiceProxy {
    type Options = ProxyOptions;

    async fn setup(cx: &SetupContext, options: ProxyOptions) -> Result<Self> {
        Ok(Self::new(cx.rpc().clone(), options.timeout))
    }
}

/// A call by name, not yet sent. Awaits to the result as a [`Value`].
#[must_use = "a call does nothing until it is awaited or sent"]
pub struct UntypedCall {
    rpc: Arc<RpcClient>,
    service: Name,
    method: Name,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    timeout: Option<Duration>,
    headers: Vec<(Name, Value)>,
    unencodable: Option<EncodeError>,
}

impl UntypedCall {
    /// Adds an argument by position.
    pub fn arg(mut self, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => self.args.push(value),
            Err(error) => self.unencodable = Some(EncodeError(error.to_string())),
        }
        self
    }

    /// Adds an argument by name.
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => drop(self.kwargs.insert(name.into(), value)),
            Err(error) => self.unencodable = Some(EncodeError(error.to_string())),
        }
        self
    }

    /// How long to wait for the reply.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A header of the request, under this very name.
    pub fn header(mut self, name: impl Into<Name>, value: impl Into<Value>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The key by which an `idempotent` method knows this call again: see [`Call::idempotency_key`].
    pub fn idempotency_key(self, key: impl Into<String>) -> Self {
        self.header(context_data::IDEMPOTENCY_KEY, key.into())
    }

    /// Context data, sent as Nameko's header `nameko.{key}`.
    pub fn context(self, key: &str, value: impl Into<Value>) -> Self {
        self.header(format!("{}{key}", context_data::PREFIX), value)
    }

    /// The token to call with, sent as Nameko's context data `auth_token`. Inside a worker its own token goes along without this.
    pub fn auth_token(self, token: &str) -> Self {
        self.header(Name::from_static(context_data::TOKEN_HEADER), token)
    }

    /// The same call with a result of a type, and the method's own error.
    pub fn returning<T, E>(self) -> Call<T, E> {
        let format = self.rpc.settings.open_format.clone();
        let body = match self.unencodable {
            Some(error) => Err(error),
            None => encode_request(&format, &self.args, &self.kwargs),
        };
        // Not `ServiceClient::remote`: a name that was only tried must not be suggested to the next one.
        let client = ServiceClient::unregistered(self.rpc, self.service);
        let mut call = client.encoded(self.method, self.timeout, format, body);
        call.headers = self.headers;
        call.answer = PhantomData;
        call
    }

    /// Sends the request and returns what to await for its reply.
    ///
    /// # Errors
    ///
    /// When it could not be sent.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the request may or may not have been sent.
    pub async fn send(self) -> Result<PendingReply<Value, Infallible>, CallError<Infallible>> {
        self.returning().send().await
    }
}

impl IntoFuture for UntypedCall {
    type Output = Result<Value, CallError<Infallible>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.returning().into_future()
    }
}

impl fmt::Debug for UntypedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntypedCall")
            .field("service", &self.service)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}
