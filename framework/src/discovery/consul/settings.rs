use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{Result, Settings};

/// How an agent is reached.
pub(super) struct AgentSettings {
    /// `http://127.0.0.1:8500`, without a slash at its end.
    pub(super) url: String,
    pub(super) token: Option<String>,
    pub(super) datacenter: Option<String>,
    pub(super) ca: Option<PathBuf>,
    /// The client's certificate and its key, which may be in one file.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

impl AgentSettings {
    /// `None` where no agent is named: then there is no Consul.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>> {
        let certificate = settings.get::<PathBuf>("consul.tls.certificate")?;
        let key = settings.get::<PathBuf>("consul.tls.key")?;
        let read = Self {
            url: String::new(),
            token: settings.get::<String>("consul.token")?,
            datacenter: settings.get::<String>("consul.datacenter")?,
            ca: settings.get::<PathBuf>("consul.tls.ca")?,
            identity: certificate.map(|certificate| (certificate.clone(), key.unwrap_or(certificate))),
        };
        let Some(address) = settings.get::<String>("consul.address")? else { return Ok(None) };
        let address = address.trim().trim_end_matches('/');
        let url = match address.split_once("://") {
            None => format!("http://{address}"),
            Some(("http" | "https", _)) => address.to_owned(),
            Some(_) => String::new(),
        };
        if reqwest::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned)).is_none() {
            let text = "it is no address of an agent: write `http://127.0.0.1:8500`, or `https://…` with TLS";
            return Err(settings.refuse("consul.address", text));
        }
        Ok(Some(Self { url, ..read }))
    }
}

/// How Consul sees whether an instance is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The instance says so, as long as it is ready.
    Ttl,
    /// Consul asks `/health/ready` of the operations endpoints.
    Http,
    /// Consul asks gRPC's health service at the instance's port.
    Grpc,
}

/// What is registered.
#[derive(Clone)]
pub(super) struct RegisterSettings {
    pub(super) is_on: bool,
    /// The host that others are told; `None`: the one that it listens on, or the agent's.
    pub(super) advertise: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) meta: BTreeMap<String, String>,
    pub(super) check: Check,
    pub(super) check_interval: Duration,
    pub(super) deregister_after: Duration,
}

impl RegisterSettings {
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        let check = match settings.get::<String>("consul.check")?.as_deref() {
            None | Some("ttl") => Check::Ttl,
            Some("http") => Check::Http,
            Some("grpc") => Check::Grpc,
            Some(other) => {
                let text = format!("`{other}` is no check: write `ttl`, `http` or `grpc`");
                return Err(settings.refuse("consul.check", text));
            }
        };
        let check_interval = settings.duration("consul.check_interval", Duration::from_secs(10))?;
        if check_interval < Duration::from_secs(1) {
            return Err(settings.refuse("consul.check_interval", "it is shorter than 1s"));
        }
        Ok(Self {
            is_on: settings.get("consul.register")?.unwrap_or(true),
            advertise: settings.get("consul.advertise")?,
            tags: settings.get("consul.tags")?.unwrap_or_default(),
            meta: settings.get("consul.meta")?.unwrap_or_default(),
            check,
            check_interval,
            deregister_after: settings.duration("consul.deregister_after", Duration::from_secs(60))?,
        })
    }
}
