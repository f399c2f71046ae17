use std::{fmt, time::Duration};

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

use crate::{Error, ErrorKind, Result, transport::TransportOptions};

const DEFAULT_PORT: u16 = 5672;

/// Where the broker is and who we are there. Neither Debug nor Display tell the password.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    password: String,
    pub(super) vhost: String,
    /// Asked of the broker: a silent peer is dropped by lapin after two of them, whatever our own probe says. Zero: none.
    heartbeat: Duration,
}

impl Address {
    /// Reads `amqp://user:password@host:port/vhost` by kombu's rules: an empty path, `/`, `//` and `/%2F` all mean the virtual host `/`.
    ///
    /// The errors never repeat the text, which holds a password.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let rest = url
            .strip_prefix("amqp://")
            .or_else(|| url.strip_prefix("pyamqp://"))
            .ok_or_else(|| config("the broker's URL must begin with `amqp://`"))?;
        if rest.contains(';') {
            return Err(config("the broker's URL names several brokers (`;`): name one"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        check_query(query)?;
        // The last `@` ends the credentials: a password may hold a raw one.
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match userinfo.split_once(':') {
            Some((user, password)) => (decode(user)?, decode(password)?),
            None => (decode(userinfo)?, "guest".to_owned()),
        };
        let (host, port) = split_port(host_port)?;
        let vhost = match decode(path)?.as_str() {
            "" | "/" => "/".to_owned(),
            other => other.to_owned(),
        };
        Ok(Self {
            host: if host.is_empty() { "localhost".to_owned() } else { host },
            port,
            user: if user.is_empty() { "guest".to_owned() } else { user },
            password,
            vhost,
            heartbeat: TransportOptions::default().heartbeat,
        })
    }

    pub(super) fn with_heartbeat(self, heartbeat: Duration) -> Self {
        Self { heartbeat, ..self }
    }

    /// What lapin connects with. It prints the password in Debug and Display: hand it over at once and keep it nowhere.
    ///
    /// It is built, never parsed by lapin, so that no error text of lapin's can hold it.
    pub(super) fn to_lapin(&self, frame_max: Option<u32>) -> AMQPUri {
        AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username: self.user.clone(), password: self.password.clone() },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString {
                frame_max,
                heartbeat: Some(u16::try_from(self.heartbeat.as_secs()).unwrap_or(u16::MAX)),
                ..AMQPQueryString::default()
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracketed = self.host.contains(':');
        let (open, close) = if bracketed { ("[", "]") } else { ("", "") };
        let vhost = self.vhost.replace('/', "%2F");
        write!(f, "amqp://{}@{open}{}{close}:{}/{vhost}", self.user, self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn config(text: &'static str) -> Error {
    Error::new(ErrorKind::Config, text)
}

fn split_port(text: &str) -> Result<(String, u16)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or("")),
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => DEFAULT_PORT,
        port => port.parse().map_err(|_| config("the port in the broker's URL is no number from 1 to 65535"))?,
    };
    Ok((decode(host)?, port))
}

fn check_query(query: &str) -> Result<()> {
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wants_tls = key == "ssl" && !matches!(value, "" | "0" | "false" | "False");
        if wants_tls {
            return Err(config("the broker's URL asks for TLS (`ssl`), which this build does not have"));
        }
    }
    Ok(())
}

fn decode(text: &str) -> Result<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        decoded.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).map_err(|_| config("an escape (`%..`) in the broker's URL is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vhost_follows_kombu() {
        let cases = [
            ("amqp://h", "/"),
            ("amqp://h/", "/"),
            ("amqp://h//", "/"),
            ("amqp://h/%2F", "/"),
            ("amqp://h/%2f", "/"),
            ("amqp://h/foo", "foo"),
            ("pyamqp://h/a%20b?heartbeat=10", "a b"),
        ];
        for (url, vhost) in cases {
            assert_eq!(Address::parse(url).unwrap().vhost, vhost, "{url}");
        }
    }

    #[test]
    fn parts_and_defaults() {
        let address = Address::parse("amqp://us%40er:p%3Aw@[::1]:99/v").unwrap();
        assert_eq!((&*address.user, &*address.password), ("us@er", "p:w"));
        assert_eq!((&*address.host, address.port), ("::1", 99));
        let address = Address::parse("amqp://").unwrap();
        assert_eq!(address.to_string(), "amqp://guest@localhost:5672/%2F");
    }

    #[test]
    fn the_heartbeat_is_asked_of_the_broker() {
        let address = Address::parse("amqp://h").unwrap();
        assert_eq!(address.to_lapin(None).query.heartbeat, Some(5));
        assert_eq!(address.with_heartbeat(Duration::from_secs(60)).to_lapin(None).query.heartbeat, Some(60));
    }

    #[test]
    fn password_is_never_shown() {
        let address = Address::parse("amqp://me:s3cret@host/v").unwrap();
        assert_eq!(format!("{address} {address:?}"), "amqp://me@host:5672/v amqp://me@host:5672/v");
        for url in ["amqp://me:s3cret@host:port/", "amqp://me:s3cret@a;amqp://b", "s3cret", "amqp://me:s3cret%FF@h"] {
            assert!(!format!("{:?}", Address::parse(url).unwrap_err()).contains("s3cret"));
        }
        assert_eq!(Address::parse("amqp://h/?ssl=true").unwrap_err().kind(), ErrorKind::Config);
    }
}
