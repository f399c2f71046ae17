//! What a setting says of where a service is.

use std::{sync::Arc, time::Duration};

use super::{Discovery, Protocol, Target, dns::Dns, fixed::Fixed, instance::host_and_port};
use crate::{Error, ErrorKind, Result, protocol::Value};

/// How settings are written, in the words of an error.
pub(super) const FORMS: &str = "write a list of addresses, `[\"10.0.0.1:8000\"]`, or `dns://host:port`, or `consul://name`, or a map of `http` and `grpc`";

/// Where the instances of a service are looked for.
pub(super) enum Place {
    Here(Arc<dyn Discovery>),
    /// In Consul, under a name.
    #[cfg_attr(not(feature = "consul"), allow(dead_code, reason = "it is refused"))]
    Consul {
        name: String,
        tag: Option<String>,
        datacenter: Option<String>,
    },
}

impl Place {
    /// Reads the value of `discovery.services.{name}`.
    pub(super) fn read(value: &Value, target: &Target, dns_refresh: Duration) -> Result<Self> {
        match value {
            Value::Object(map) => {
                if let Some(other) = map.keys().find(|key| !["http", "grpc"].contains(&key.as_str())) {
                    return Err(wrong(format!("`{other}` is no protocol: {FORMS}")));
                }
                match map.get(target.protocol.name()) {
                    Some(inner) if !inner.is_object() => Self::read(inner, target, dns_refresh),
                    Some(_) => Err(wrong(FORMS)),
                    None => Err(wrong(format!("it does not say where `{}` is spoken", target.protocol))),
                }
            }
            Value::Array(items) => {
                let addresses: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
                Self::fixed(addresses.ok_or_else(|| wrong(FORMS))?)
            }
            Value::String(text) => Self::text(text.trim(), target.protocol, dns_refresh),
            _ => Err(wrong(FORMS)),
        }
    }

    fn fixed(addresses: Vec<&str>) -> Result<Self> {
        if addresses.is_empty() {
            return Err(wrong(format!("it lists no address: {FORMS}")));
        }
        Ok(Self::Here(Arc::new(Fixed::of(addresses)?)))
    }

    fn text(text: &str, protocol: Protocol, dns_refresh: Duration) -> Result<Self> {
        let Some((scheme @ ("dns" | "consul"), rest)) = text.split_once("://") else {
            return Self::fixed(text.split(',').filter(|part| !part.trim().is_empty()).collect());
        };
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        let pairs =
            query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (mut tls, mut tag, mut datacenter) = (false, None, None);
        for (key, value) in pairs {
            match (scheme, key, value) {
                ("dns", "tls", "true" | "false") => tls = value == "true",
                ("consul", "tag", value) => tag = Some(value.to_owned()),
                ("consul", "dc", value) => datacenter = Some(value.to_owned()),
                ("dns", ..) => return Err(wrong(format!("`{key}={value}`: `dns://` knows `tls=true`"))),
                _ => return Err(wrong(format!("`{key}`: `consul://` knows `tag` and `dc`"))),
            }
        }
        if scheme == "consul" {
            if name.is_empty() || name.contains('/') {
                return Err(wrong("`consul://` is followed by the name of a service"));
            }
            // Whoever names a service in Consul may mean one that is not kinoko's, which bears no such tag.
            let tag = tag.filter(|tag| !tag.is_empty());
            let _ = protocol;
            return Ok(Self::Consul { name: name.to_owned(), tag, datacenter });
        }
        let name = host_and_port(name, None).ok_or_else(|| wrong("`dns://` is followed by a host and a port"))?;
        Ok(Self::Here(Arc::new(Dns { name, tls, refresh: dns_refresh })))
    }
}

fn wrong(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text.into())
}
