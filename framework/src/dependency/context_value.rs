use std::future::{Future, ready};

use super::FromWorker;
use crate::{
    context::WorkerContext,
    protocol::{Fault, Value},
};

/// A value of the context data that callers pass along, injected by its type.
///
/// `#[inject] tenant: Option<Tenant>` takes what comes; `#[inject] Context(tenant): Context<Tenant>` refuses a call without it.
/// The built-in ones need no wrapper: `#[inject] language: Language`.
///
/// # Examples
///
/// A key of your own, sent as `nameko.tenant` and passed on along nested calls:
///
/// ```
/// use kinoko::prelude::*;
/// use kinoko::protocol::Value;
///
/// struct Tenant(String);
///
/// impl ContextValue for Tenant {
///     const KEY: &'static str = "tenant";
///     fn from_value(value: &Value) -> Option<Self> {
///         value.as_str().map(|name| Self(name.to_owned()))
///     }
/// }
///
/// #[derive(Dependencies)]
/// struct Reports;
///
/// #[service(name = "reports")]
/// impl Reports {
///     #[rpc]
///     fn owner(&self, #[inject] tenant: Option<Tenant>) -> Option<String> {
///         tenant.map(|tenant| tenant.0)
///     }
///
///     #[rpc]
///     fn delete(&self, #[inject] Context(tenant): Context<Tenant>) -> String {
///         format!("all reports of {} are gone", tenant.0)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = kinoko::App::new().service::<Reports>().start().await?;
/// let reports = app.client::<ReportsClient>();
/// assert_eq!(reports.owner().context("tenant", "acme").await?.as_deref(), Some("acme"));
/// assert_eq!(reports.owner().await?, None);
/// assert!(reports.delete().await.is_err());
/// # app.stop().await }
/// ```
pub trait ContextValue: Sized + Send {
    /// The key, without Nameko's prefix.
    const KEY: &'static str;

    /// The status of an HTTP request without it, where it must be there.
    const MISSING_STATUS: u16 = 400;

    /// Reads it; `None` where the value is of another type.
    fn from_value(value: &Value) -> Option<Self>;
}

/// A value of the context data that must be there: a call without it is refused.
///
/// The wrapper is what lets the compiler say of another type that the *service* lacks a field: a blanket implementation over all
/// [`ContextValue`]s would make it say that the type cannot be injected at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context<T>(pub T);

impl<S: Sync, T: ContextValue> FromWorker<S> for Context<T> {
    fn from_worker(_: &S, cx: &WorkerContext) -> impl Future<Output = Result<Self, Fault>> + Send {
        ready(required(cx).map(Self))
    }
}

fn required<T: ContextValue>(cx: &WorkerContext) -> Result<T, Fault> {
    cx.get(T::KEY).and_then(T::from_value).ok_or_else(|| missing(T::KEY, T::MISSING_STATUS))
}

#[cold]
fn missing(key: &str, status: u16) -> Fault {
    let text = format!("the call's context has no usable `{key}`");
    Fault { http: Some(status), ..Fault::nameko("BadRequest", text) }
}

impl<S: Sync, T: ContextValue> FromWorker<S> for Option<T> {
    fn from_worker(_: &S, cx: &WorkerContext) -> impl Future<Output = Result<Self, Fault>> + Send {
        ready(Ok(cx.get(T::KEY).and_then(T::from_value)))
    }
}

macro_rules! injected {
    ($name:ident) => {
        impl<S: Sync> FromWorker<S> for $name {
            fn from_worker(_: &S, cx: &WorkerContext) -> impl Future<Output = Result<Self, Fault>> + Send {
                ready(required(cx))
            }
        }
    };
}

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $key:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub String);

        impl ContextValue for $name {
            const KEY: &'static str = $key;
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::String(text) => Some(Self(text.clone())),
                    Value::Number(number) => Some(Self(number.to_string())),
                    _ => None,
                }
            }
        }

        injected!($name);
    };
}

text_value! {
    /// The caller's language, Nameko's context key `language`.
    Language, "language"
}
text_value! {
    /// The user that the caller says it acts for, Nameko's context key `user_id`.
    ///
    /// **Unverified**: whoever can publish to the broker can write it. Use it for logs, not to decide what is allowed.
    UserId, "user_id"
}
/// The token that the caller passed along, Nameko's context key `auth_token`. Nobody has checked it yet.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthToken(pub String);

impl ContextValue for AuthToken {
    const KEY: &'static str = "auth_token";
    const MISSING_STATUS: u16 = 401;

    fn from_value(value: &Value) -> Option<Self> {
        value.as_str().map(|token| Self(token.to_owned()))
    }
}

injected!(AuthToken);

impl std::fmt::Debug for AuthToken {
    /// Never the token: it would reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthToken(…)")
    }
}
