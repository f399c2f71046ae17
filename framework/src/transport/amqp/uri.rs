use std::{fmt, time::Duration};

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};

use crate::{
    Error, ErrorKind, Result,
    transport::{Login, Tls, TransportOptions},
};

const PORT: u16 = 5672;
const TLS_PORT: u16 = 5671;

/// Where the broker is and who we are there. Neither Debug nor Display tell the password.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    password: String,
    pub(super) vhost: String,
    pub(super) tls: Option<Tls>,
    pub(super) login: Login,
    /// Asked of the broker: a silent peer is dropped by lapin after two of them, whatever our own probe says. Zero: none.
    heartbeat: Duration,
}

impl Address {
    /// Reads one URL or several with `;` between them, by kombu's rules: what a later one leaves out is as in the first,
    /// and it may be no more than a host.
    ///
    /// The errors never repeat the text, which holds a password.
    pub(super) fn parse_list(urls: &str, options: &TransportOptions) -> Result<Vec<Self>> {
        let mut list: Vec<Self> = Vec::new();
        for text in urls.split(';').filter(|text| !text.is_empty()) {
            let address = Self::parse(text, list.first(), options)?;
            list.push(address);
        }
        if list.is_empty() {
            return Err(config("the broker's URL is empty"));
        }
        if list.iter().any(|address| address.tls.is_some() != list[0].tls.is_some()) {
            return Err(config(
                "the broker's URL is a list with TLS for some and without for others: \
                 write `amqps://` for all, so that no failure leads to an unprotected connection",
            ));
        }
        for address in &list {
            address.check()?;
        }
        Ok(list)
    }

    /// What can be known to be wrong before anybody is connected to.
    fn check(&self) -> Result<()> {
        if self.login == Login::External && self.tls.as_ref().is_none_or(|tls| tls.cert.is_none()) {
            return Err(config(format!(
                "{self}: a login by certificate (EXTERNAL) needs TLS and a certificate of the client: name it as `amqp_tls.cert`"
            )));
        }
        match &self.tls {
            None => Ok(()),
            #[cfg(feature = "tls")]
            Some(tls) => super::tls::check(tls, self),
            #[cfg(not(feature = "tls"))]
            Some(_) => {
                Err(config(format!("{self}: this program was built without TLS: enable kinoko's feature `tls`")))
            }
        }
    }

    /// Reads `amqp://user:password@host:port/vhost` by kombu's rules: an empty path, `/`, `//` and `/%2F` all mean the virtual host `/`.
    fn parse(text: &str, first: Option<&Self>, options: &TransportOptions) -> Result<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let mut tls = first.map_or(&options.tls, |first| &first.tls).clone();
        match scheme {
            Some("amqp" | "pyamqp") => {}
            Some("amqps") => drop(tls.get_or_insert_default()),
            None if first.is_some() => {}
            _ => return Err(config("the broker's URL must begin with `amqp://` or `amqps://`, each one of a list")),
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut login = first.map_or(options.login, |first| first.login);
        read_query(query, &mut tls, &mut login)?;
        // The last `@` ends the credentials: a password may hold a raw one.
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !authority.contains('@') && text.contains('@') {
            return Err(config(
                "the broker's URL has an `@` behind its host: in a user or password write `%2F` for `/` and `%3F` for `?`, \
                 elsewhere `%40` for `@`",
            ));
        }
        let (userinfo, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match (userinfo.split_once(':'), first) {
            (Some((user, password)), _) => (decode(user)?, decode(password)?),
            (None, Some(first)) if userinfo.is_empty() => (first.user.clone(), first.password.clone()),
            (None, _) => (decode(userinfo)?, "guest".to_owned()),
        };
        let (host, port) = split_port(host_port)?;
        if host.contains(',') {
            return Err(config(
                "the broker's URL has a comma in its host: write several brokers with `;` between them",
            ));
        }
        let vhost = match (decode(path)?, first) {
            (path, Some(first)) if path.is_empty() => first.vhost.clone(),
            (path, _) if path.is_empty() => "/".to_owned(),
            (path, _) => path,
        };
        let default_port = if tls.is_some() { TLS_PORT } else { PORT };
        Ok(Self {
            host: if host.is_empty() { "localhost".to_owned() } else { host },
            port: port.or(first.map(|first| first.port)).unwrap_or(default_port),
            user: if user.is_empty() { "guest".to_owned() } else { user },
            password,
            vhost,
            tls,
            login,
            heartbeat: options.heartbeat,
        })
    }

    /// What lapin connects with. It prints the password in Debug and Display: hand it over at once and keep it nowhere.
    ///
    /// It is built, never parsed by lapin, so that no error text of lapin's can hold it.
    pub(super) fn to_lapin(&self, frame_max: Option<u32>) -> AMQPUri {
        let mechanism = match self.login {
            Login::Plain => SASLMechanism::Plain,
            Login::AmqPlain => SASLMechanism::AMQPlain,
            Login::External => SASLMechanism::External,
        };
        AMQPUri {
            // The stream that lapin gets is encrypted already where it has to be.
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
                auth_mechanism: Some(mechanism),
                ..AMQPQueryString::default()
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls.is_some() { "amqps://" } else { "amqp://" })?;
        // A certificate says who we are, which only the broker can read.
        if self.login != Login::External {
            write!(f, "{}@", self.user)?;
        }
        let bracketed = self.host.contains(':');
        let (open, close) = if bracketed { ("[", "]") } else { ("", "") };
        let vhost = self.vhost.replace('/', "%2F");
        write!(f, "{open}{}{close}:{}/{vhost}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text.into())
}

fn split_port(text: &str) -> Result<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or("")),
        None if text.starts_with('[') => return Err(config("the broker's URL has a `[` in its host without a `]`")),
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => None,
        port => Some(port.parse().map_err(|_| config("the port in the broker's URL is no number from 1 to 65535"))?),
    };
    Ok((decode(host)?, port))
}

/// What the URL says of TLS and of the login; other keys (`heartbeat`) are ignored.
fn read_query(query: &str, tls: &mut Option<Tls>, login: &mut Login) -> Result<()> {
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value)?;
        let wrong = |text: &str| config(format!("the broker's URL: `{key}`: {text}"));
        match key {
            "ssl" => {
                if !matches!(value.as_str(), "" | "0" | "false" | "False") {
                    tls.get_or_insert_default();
                }
            }
            "auth_mechanism" | "login_method" => *login = value.parse().map_err(wrong)?,
            key => {
                let mut with = tls.clone().unwrap_or_default();
                if with.set(key, &value).map_err(wrong)? {
                    *tls = Some(with);
                }
            }
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

    fn list(urls: &str) -> Result<Vec<Address>> {
        Address::parse_list(urls, &TransportOptions::default())
    }

    fn one(url: &str) -> Address {
        list(url).unwrap().remove(0)
    }

    fn shown(urls: &str) -> Vec<String> {
        list(urls).unwrap().iter().map(ToString::to_string).collect()
    }

    fn refusal(urls: &str) -> String {
        let error = list(urls).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn vhost_follows_kombu() {
        let cases = [
            ("amqp://h", "/"),
            ("amqp://h/", "/"),
            ("amqp://h//", "/"),
            ("amqp://h/%2F", "/"),
            ("amqp://h/%2f", "/"),
            ("amqp://h/foo", "foo"),
            ("amqp://h/a/b", "a/b"),
            ("amqp://h/a%2Fb", "a/b"),
            ("amqp://h/%C3%A4%3F%3B%25", "ä?;%"),
            ("pyamqp://h/a%20b?heartbeat=10", "a b"),
        ];
        for (url, vhost) in cases {
            assert_eq!(one(url).vhost, vhost, "{url}");
        }
    }

    #[test]
    fn parts_and_defaults() {
        let address = one("amqp://us%40er:p%3Aw@[::1]:99/v");
        assert_eq!((&*address.user, &*address.password), ("us@er", "p:w"));
        assert_eq!((&*address.host, address.port), ("::1", 99));
        assert_eq!(shown("amqp://"), ["amqp://guest@localhost:5672/%2F"]);
    }

    #[test]
    fn the_heartbeat_is_asked_of_the_broker() {
        let asked = |heartbeat: Duration| {
            let options = TransportOptions { heartbeat, ..TransportOptions::default() };
            Address::parse_list("amqp://h", &options).unwrap()[0].to_lapin(None).query.heartbeat
        };
        assert_eq!(one("amqp://h").to_lapin(None).query.heartbeat, Some(5));
        assert_eq!(asked(Duration::from_secs(60)), Some(60));
    }

    #[test]
    fn password_is_never_shown() {
        let address = one("amqp://me:s3cret@host/v");
        assert_eq!(format!("{address} {address:?}"), "amqp://me@host:5672/v amqp://me@host:5672/v");
        for url in [
            "amqp://me:s3cret@host:port/",
            "amqp://me:s3cret@a;http://b",
            "s3cret",
            "amqp://me:s3cret%FF@h",
            "amqp://me:s3cret@a,b",
            "amqp://me:s3cret@a?verify=verify_none",
            // Without escapes they name another host, and what is shown of it is the password.
            "amqp://me:12/s3cret@h",
            "amqp://me:12?s3cret@h",
            "amqp://me:pw@h;amqp://me:12/s3cret@i",
        ] {
            assert!(!format!("{:?}", list(url).unwrap_err()).contains("s3cret"));
        }
    }

    #[test]
    fn what_a_later_broker_leaves_out_is_as_in_the_first() {
        assert_eq!(
            shown("pyamqp://me:pw@a:99/v;b;c:7;amqp://d/w;amqp://you:pw@e//;"),
            ["amqp://me@a:99/v", "amqp://me@b:99/v", "amqp://me@c:7/v", "amqp://me@d:99/w", "amqp://you@e:99/%2F"]
        );
        assert_eq!(list("amqp://me:pw@a;b").unwrap()[1].password, "pw");
        assert_eq!(refusal(";"), "the broker's URL is empty");
        assert!(refusal("amqp://a:1/v@h").contains("in a user or password write `%2F` for `/`"));
        assert!(refusal("amqp://[::1").contains("a `[` in its host without a `]`"));
        assert_eq!(one("amqp://me:pw@h/v@w").vhost, "v@w");
        assert!(refusal("amqp://a,b").contains("write several brokers with `;` between them"));
        assert!(refusal("amqp://a;memory://").contains("must begin with `amqp://` or `amqps://`"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_is_refused_without_its_feature() {
        for url in ["amqps://h", "amqp://h?ssl=true", "amqp://h?cacertfile=x"] {
            assert!(
                refusal(url).ends_with("this program was built without TLS: enable kinoko's feature `tls`"),
                "{url}"
            );
        }
        assert_eq!(shown("amqp://h/?ssl=false&heartbeat=10"), ["amqp://guest@h:5672/%2F"]);
    }

    #[cfg(feature = "tls")]
    mod tls {
        use super::*;

        #[test]
        fn tls_is_asked_for_by_scheme_query_or_option() {
            let tls = TransportOptions { tls: Some(Tls::default()), ..TransportOptions::default() };
            let by_option = Address::parse_list("amqp://h", &tls).unwrap();
            for address in [
                by_option,
                list("amqps://h").unwrap(),
                list("amqp://h/?ssl=true").unwrap(),
                list("amqps://h//").unwrap(),
            ] {
                assert_eq!(address[0].to_string(), "amqps://guest@h:5671/%2F");
                assert_eq!(address[0].tls, Some(Tls::default()));
            }
            assert_eq!(shown("amqp://h?ssl=false"), ["amqp://guest@h:5672/%2F"]);
            assert_eq!(
                shown("amqps://a:7/v;b;amqp://c/w"),
                ["amqps://guest@a:7/v", "amqps://guest@b:7/v", "amqps://guest@c:7/w"]
            );
            assert!(refusal("amqp://a;amqps://b").contains("write `amqps://` for all"));
        }

        #[test]
        fn verification_cannot_be_switched_off() {
            for query in [
                "verify=verify_none",
                "ssl_cert_reqs=CERT_NONE",
                "cert_reqs=0",
                "ssl_check_hostname=false",
                "server_name_indication=disable",
            ] {
                let text = refusal(&format!("amqps://h?{query}"));
                let option = query.split('=').next().unwrap();
                assert!(text.starts_with(&format!("the broker's URL: `{option}`: ")), "{text}");
            }
            assert_eq!(one("amqps://h?verify=verify_peer&fail_if_no_peer_cert=true").tls, Some(Tls::default()));
        }

        #[test]
        fn a_login_by_certificate_needs_one() {
            for url in ["amqp://h?auth_mechanism=external", "amqps://h?auth_mechanism=EXTERNAL"] {
                assert!(refusal(url).contains("needs TLS and a certificate of the client"), "{url}");
            }
            assert!(refusal("amqps://h?auth_mechanism=magic").contains("write `plain`, `amqplain` or `external`"));
        }

        #[test]
        fn a_host_that_no_certificate_can_name_is_told_before_any_connection() {
            let text = refusal("amqps://so me");
            assert!(
                text.contains("no certificate can be valid for `so me`") && text.contains("amqp_tls.server_name"),
                "{text}"
            );
        }
    }
}
