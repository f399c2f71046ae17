//! What is asked of an agent, by its HTTP API.

use std::{fmt, time::Duration};

use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use serde::Serialize;

use super::{settings::AgentSettings, tls};
use crate::{Error, ErrorKind, Result, Settings, protocol::Value};

/// How long an agent may take to answer what it does not wait with.
const LIMIT: Duration = Duration::from_secs(5);
/// How long it may wait for news. It adds up to a sixteenth of that.
const WAIT: Duration = Duration::from_secs(60);

/// An agent of Consul.
pub(in crate::discovery) struct Consul {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    datacenter: Option<String>,
}

/// An answer that may come again when it has changed.
pub(super) struct Answer {
    pub(super) body: Value,
    pub(super) index: u64,
    pub(super) knows_leader: bool,
}

impl Consul {
    /// The agent that the settings name; `None` where they name none.
    pub(in crate::discovery) fn from_settings(settings: &Settings) -> Result<Option<Self>> {
        let Some(agent) = AgentSettings::read(settings)? else { return Ok(None) };
        let tls = tls::config(&agent).map_err(|text| settings.refuse("consul.tls", text))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // An agent is near, and not behind the proxy that leads outside.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(LIMIT)
            .build()
            .map_err(|error| settings.refuse("consul.address", plain(&error)))?;
        Ok(Some(Self { http, url: agent.url, token: agent.token, datacenter: agent.datacenter }))
    }

    /// Tells the agent something. `Ok(false)`: it does not know what that is about.
    pub(super) async fn put(&self, path: &str, body: Option<&impl Serialize>) -> Result<bool> {
        let request = self.request(Method::PUT, path).timeout(LIMIT);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.known(request).await
    }

    /// Whether the agent knows this.
    pub(super) async fn knows(&self, path: &str) -> Result<bool> {
        self.known(self.request(Method::GET, path).timeout(LIMIT)).await
    }

    async fn known(&self, request: RequestBuilder) -> Result<bool> {
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            status => {
                let error = self.refused(status, response).await;
                // What 1.8 says of a check that it does not have; others say 404.
                let is_unknown = ["does not have associated TTL", "Unknown check"];
                match is_unknown.iter().any(|text| error.to_string().contains(text)) {
                    true => Ok(false),
                    false => Err(error),
                }
            }
        }
    }

    /// Asks for something, and waits until it is another than at `index`. With 0 it does not wait.
    pub(super) async fn watch(&self, path: &str, query: &[(&str, &str)], index: u64) -> Result<Answer> {
        let (index, wait) = (index.to_string(), format!("{}s", WAIT.as_secs()));
        let asked = [("index", index.as_str()), ("wait", wait.as_str())];
        let url = self.with_query(path, query.iter().copied().chain(asked))?;
        let request = self.authorized(self.http.get(url)).timeout(WAIT + WAIT / 16 + LIMIT);
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        if !response.status().is_success() {
            return Err(self.refused(response.status(), response).await);
        }
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let index = header("X-Consul-Index").and_then(|index| index.parse().ok()).unwrap_or(0);
        let knows_leader = header("X-Consul-KnownLeader") != Some("false");
        let body = response.json().await.map_err(|error| self.lost(&error))?;
        Ok(Answer { body, index, knows_leader })
    }

    fn with_query<'a>(&self, path: &str, query: impl Iterator<Item = (&'a str, &'a str)>) -> Result<reqwest::Url> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url))?;
        for (key, value) in query {
            match value {
                "" => drop(url.query_pairs_mut().append_key_only(key)),
                value => drop(url.query_pairs_mut().append_pair(key, value)),
            }
        }
        Ok(url)
    }

    /// The datacenter that is meant where nothing else is said.
    pub(super) fn datacenter(&self) -> Option<&str> {
        self.datacenter.as_deref()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.authorized(self.http.request(method, format!("{}{path}", self.url)))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.header("X-Consul-Token", token),
            None => request,
        }
    }

    fn lost(&self, error: &reqwest::Error) -> Error {
        Error::new(ErrorKind::Unavailable, format!("Consul at {} does not answer: {}", self.url, plain(error)))
    }

    async fn refused(&self, status: StatusCode, response: Response) -> Error {
        let text = response.text().await.unwrap_or_default();
        let text = crate::protocol::excerpt(text.trim());
        let (kind, hint) = match status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                (ErrorKind::Refused, "; `consul.token` is what it knows this program by")
            }
            _ => (ErrorKind::Unavailable, ""),
        };
        Error::new(kind, format!("Consul at {} answered {status}: {text}{hint}", self.url))
    }
}

impl fmt::Debug for Consul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consul").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The innermost reason: those around it say that there was an error, and the URL.
fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
