//! Pages of other origins: which ones the settings name, for what they may call (CORS) and for the sockets that they may open.

use axum::http::{HeaderMap, HeaderValue, Uri, header, request::Parts};

use crate::{Result, config::Settings, server::texts};

/// The origins that a setting names.
#[derive(Debug, Clone)]
pub(super) enum Origins {
    All,
    /// As browsers write them.
    Named(Vec<String>),
}

impl Origins {
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for what no browser would write: a slip would let nobody in, and say nothing.
    pub(super) fn read(settings: &Settings, key: &str) -> Result<Self> {
        let texts = texts(settings, key)?.unwrap_or_default();
        let mut named = Vec::new();
        for text in &texts {
            match as_written(text) {
                Some(origin) => named.push(origin),
                None if text == "*" => {}
                None => {
                    let text =
                        format!("`{text}` is no origin: write `https://shop.example`, without a path, or `*` for all");
                    return Err(settings.refuse(key, text));
                }
            }
        }
        Ok(if texts.iter().any(|text| text == "*") { Self::All } else { Self::Named(named) })
    }

    /// Whether the setting names none.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Named(named) if named.is_empty())
    }

    /// Whether this one is among them.
    pub(super) fn has(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::All => true,
            Self::Named(named) => named.iter().any(|named| named.as_bytes().eq_ignore_ascii_case(origin.as_bytes())),
        }
    }

    /// Whether a browser may open a socket from the page that it is at: one of these, or of the host that is asked. Browsers let any
    /// page open a socket to any host, with the user's cookies, so the server has to look. Whoever sends no `Origin` is no browser.
    pub(super) fn may_connect(&self, request: &Parts) -> bool {
        let mut origins = request.headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let is_same = || origin.to_str().is_ok_and(|origin| is_same_host(origin, &request.headers, &request.uri));
        origins.next().is_none() && (self.has(origin) || is_same())
    }
}

/// An origin as browsers write it: a scheme, which may be that of an app (`capacitor://localhost`), a host in lower case, and a port
/// where it is not the scheme's own. `None`: it is none.
fn as_written(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, host) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let host = without_default_port(host, scheme);
    let (name, port) = match host.rsplit_once(':') {
        // The colons of an IPv6 address are inside of brackets.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
    };
    (is_scheme && is_name && is_port).then(|| format!("{scheme}://{host}"))
}

/// Whether the page is of the host that is asked. The scheme says nothing: what stands before this program may have taken TLS off.
fn is_same_host(origin: &str, headers: &HeaderMap, uri: &Uri) -> bool {
    let asked = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        // HTTP/2 has it in the URI.
        None => uri.authority().map(|authority| authority.as_str()),
    };
    match (origin.split_once("://"), asked) {
        (Some((scheme, host)), Some(asked)) => {
            without_default_port(host, scheme).eq_ignore_ascii_case(without_default_port(asked, scheme))
        }
        _ => false,
    }
}

fn without_default_port<'a>(host: &'a str, scheme: &str) -> &'a str {
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    host.strip_suffix(port).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn origins(list: &[&str]) -> Origins {
        let mut settings = Settings::default();
        settings.set("origins", list.join(","));
        Origins::read(&settings, "origins").unwrap()
    }

    fn allowed(host: &str, origin: &str, list: &[&str]) -> bool {
        let request = Request::builder().uri("/ws").header("host", host).header("origin", origin).body(()).unwrap();
        origins(list).may_connect(&request.into_parts().0)
    }

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for (written, read) in [
            ("https://shop.example", "https://shop.example"),
            ("HTTPS://Shop.Example:443", "https://shop.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(as_written(written).as_deref(), Some(read));
        }
        for wrong in [
            "shop.example",
            "https://",
            "://shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://*.shop.example",
            "https://ada@shop.example",
            "https://shop.example:port",
            "https://shop.example?x",
            "https://[::1",
            "null",
            "",
        ] {
            assert_eq!(as_written(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn pages_of_the_same_host_and_those_listed_may_connect() {
        assert!(allowed("shop.example", "https://shop.example", &[]));
        assert!(allowed("SHOP.example:443", "https://shop.example", &[]));
        assert!(allowed("localhost:8000", "http://localhost:8000", &[]));
        assert!(allowed("api.example", "https://shop.example", &["https://shop.example"]));
        assert!(allowed("api.example", "null", &["*"]));
    }

    #[test]
    fn others_may_not() {
        assert!(!allowed("shop.example", "https://evil.example", &[]));
        assert!(!allowed("shop.example", "https://shop.example.evil.example", &[]));
        assert!(!allowed("localhost:8000", "http://localhost:3000", &[]));
        assert!(!allowed("shop.example", "null", &[]));
        assert!(!allowed("shop.example", "", &[]));
        assert!(!allowed("api.example", "http://shop.example", &["https://shop.example"]));
    }

    #[test]
    fn who_is_no_browser_may() {
        let request = Request::builder().uri("/ws").body(()).unwrap();
        assert!(origins(&[]).may_connect(&request.into_parts().0));
    }
}
