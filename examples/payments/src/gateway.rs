//! The gateway's HTTP API, as its makers describe it. What goes around the calls is not said here: see the policy of the service.

use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Uri, body::Bytes, header, http::uri::PathAndQuery};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use kinoko::{ErrorKind, SettingInfo, prelude::*};
use serde_json::{Value, json};

use crate::books::{Charge, State};

const SETTING: &str = "payments.gateway";

/// The gateway, at the URL of the setting `payments.gateway`. Cheap to clone, as every dependency.
#[derive(Debug, Clone)]
pub struct Gateway {
    http: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
}

/// Why the gateway gave no answer that counts. What it answered, a charge that is declined among it, is no error.
#[derive(Debug, thiserror::Error, ServiceError)]
pub(crate) enum GatewayError {
    /// No connection, or it was cut: it may have charged.
    #[error("the gateway cannot be reached: {}", .0.chain())]
    #[fault(internal)]
    Unreachable(kinoko::Error),
    /// It is not well, and may have charged.
    #[error("the gateway answered with status {0}")]
    #[fault(http = 502)]
    Broken(u16),
    /// It does not understand what it was asked. Asking again would not help.
    #[error("the gateway refused a request with status {0}")]
    #[fault(retry = false)]
    Refused(u16),
}

impl Dependency for Gateway {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        let missing = || kinoko::Error::new(ErrorKind::Config, format!("`{SETTING}` is not set: the gateway's URL"));
        Self::at(&cx.settings().get::<String>(SETTING)?.ok_or_else(missing)?)
    }

    fn settings((): &()) -> Vec<SettingInfo> {
        vec![SettingInfo::new(SETTING)]
    }
}

impl Gateway {
    /// The gateway at this URL, such as `http://127.0.0.1:8090`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], where it is none.
    pub fn at(url: &str) -> kinoko::Result<Self> {
        let url: Uri = url.parse().map_err(|error| kinoko::Error::from(error).context(format!("`{SETTING}`")))?;
        if url.scheme().is_none() || url.authority().is_none() {
            return Err(kinoko::Error::new(ErrorKind::Config, format!("`{SETTING}`: `{url}` is no URL of a host")));
        }
        Ok(Self { http: Client::builder(TokioExecutor::new()).build_http(), url })
    }

    /// Charges, or hears what became of it: under one key it is done once, however often it is asked for.
    pub(crate) async fn charge(&self, charge: &Charge) -> Result<State, GatewayError> {
        let body = json!({"order": charge.order_id, "cents": charge.cents});
        match self.post("/charges", &charge.key, &body).await? {
            200..300 => Ok(State::Charged),
            402 => Ok(State::Declined),
            409 => Ok(State::Refunded),
            status => Err(GatewayError::of(status)),
        }
    }

    /// Gives back what was charged under a key; if it was not, it never will be.
    pub(crate) async fn refund(&self, charge: &Charge) -> Result<State, GatewayError> {
        match self.post("/refunds", &charge.key, &json!({"key": charge.key})).await? {
            200..300 => Ok(State::Refunded),
            status => Err(GatewayError::of(status)),
        }
    }

    async fn post(&self, path: &'static str, key: &str, body: &Value) -> Result<u16, GatewayError> {
        let mut url = self.url.clone().into_parts();
        url.path_and_query = Some(PathAndQuery::from_static(path));
        let request = Request::builder()
            .method(Method::POST)
            .uri(Uri::from_parts(url).map_err(GatewayError::unreachable)?)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Full::from(body.to_string()))
            .map_err(GatewayError::unreachable)?;
        let answer = self.http.request(request).await.map_err(GatewayError::unreachable)?;
        let status = answer.status().as_u16();
        // To the end, so that the connection can be used again.
        answer.into_body().collect().await.map_err(GatewayError::unreachable)?;
        Ok(status)
    }
}

impl GatewayError {
    fn unreachable(error: impl Into<kinoko::Error>) -> Self {
        Self::Unreachable(error.into())
    }

    fn of(status: u16) -> Self {
        if status < 500 { Self::Refused(status) } else { Self::Broken(status) }
    }
}
