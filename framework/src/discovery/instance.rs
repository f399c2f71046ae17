use std::{collections::BTreeMap, fmt};

use crate::{Error, ErrorKind, Result, dependency::OptionValue};

/// One instance of a service, at one port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// What no other instance of the service is called: Consul's id, or else the address.
    pub id: String,
    /// Host and port, as they stand in a URL: `10.0.0.1:8000`, `[::1]:8000`.
    pub address: String,
    /// Whether it speaks TLS there.
    pub tls: bool,
    /// The version of its program, if it says.
    pub version: Option<String>,
    /// What its registration is tagged with.
    pub tags: Vec<String>,
    /// What else its registration says.
    pub meta: BTreeMap<String, String>,
}

impl Instance {
    /// An instance at a host and port, without TLS, of which nothing else is known.
    pub fn new(address: impl Into<String>) -> Self {
        let address = address.into();
        Self { id: address.clone(), address, tls: false, version: None, tags: Vec::new(), meta: BTreeMap::new() }
    }

    /// An instance by its address: `10.0.0.1:8000`, `http://10.0.0.1:8000`, or `https://api.internal`, where the port is 443.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no such address.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::discovery::Instance;
    ///
    /// assert_eq!(Instance::parse("https://api.internal")?.address, "api.internal:443");
    /// assert_eq!(Instance::parse("[::1]:8000")?.url(), "http://[::1]:8000");
    /// assert!(Instance::parse("10.0.0.1").is_err());
    /// # Ok::<(), kinoko::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let (tls, rest, default_port) = match text.split_once("://") {
            None => (false, text, None),
            Some(("http", rest)) => (false, rest, Some(80)),
            Some(("https", rest)) => (true, rest, Some(443)),
            Some(_) => return Err(no_address(text)),
        };
        let address = host_and_port(rest.trim_end_matches('/'), default_port).ok_or_else(|| no_address(text))?;
        Ok(Self { tls, ..Self::new(address) })
    }

    /// Where it is, without a path: `http://10.0.0.1:8000`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

fn no_address(text: &str) -> Error {
    let text = crate::protocol::excerpt(text);
    Error::new(
        ErrorKind::Config,
        format!("`{text}` is no address: write `host:port`, or `https://host:port` for one that speaks TLS"),
    )
}

/// `host:port` of a text that may lack the port; `None` where it is neither.
pub(super) fn host_and_port(text: &str, default_port: Option<u16>) -> Option<String> {
    // The colons of an IPv6 address are inside of its brackets.
    let host_end = match text.strip_prefix('[') {
        Some(inside) => inside.find(']')? + 2,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(host_end);
    let inside = host.trim_start_matches('[').trim_end_matches(']');
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if inside.is_empty() || !inside.chars().all(fits) {
        return None;
    }
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None if port.is_empty() => default_port?,
        None => return None,
    };
    Some(format!("{host}:{port}"))
}

/// What is spoken at a port of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// HTTP. Default.
    #[default]
    Http,
    /// gRPC.
    Grpc,
}

impl Protocol {
    /// `http` or `grpc`: in settings, and as a tag in Consul.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl OptionValue<Protocol> for &str {
    fn convert(self) -> Result<Protocol, String> {
        match self {
            "http" => Ok(Protocol::Http),
            "grpc" => Ok(Protocol::Grpc),
            other => Err(format!("`{other}` is no protocol: write \"http\" or \"grpc\"")),
        }
    }
}

/// Whose instances are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// The name of the service.
    pub service: String,
    /// At which of its ports.
    pub protocol: Protocol,
}

impl Target {
    /// One port of a service.
    pub fn new(service: impl Into<String>, protocol: Protocol) -> Self {
        Self { service: service.into(), protocol }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({})", self.service, self.protocol)
    }
}
