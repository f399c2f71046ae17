use std::{path::PathBuf, str::FromStr};

use crate::{Error, ErrorKind, Result, config::Settings, protocol::Value};

/// How the broker proves who it is, and how this program does where the broker asks: certificate files, all PEM.
///
/// A broker is always verified: its certificate must lead to a CA that is trusted and must be valid for the host of the URL.
/// There is no switch against it: [`ca`](Self::ca) trusts any certificate of one's own, [`server_name`](Self::server_name) any name.
///
/// The files are read for every connection, so that a renewed certificate is used with the next one.
/// Relative paths begin at the working directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// The CA certificates to trust *instead of* the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate, and after it those of the intermediate CAs.
    pub cert: Option<PathBuf>,
    /// The key of `cert`: PKCS#8, PKCS#1 or SEC1, not encrypted. Default: it is in the file of `cert`.
    pub key: Option<PathBuf>,
    /// The name that the broker's certificate must be valid for, where it is not the host of the URL.
    pub server_name: Option<String>,
}

/// How this program tells the broker who it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Login {
    /// User and password of the URL, as SASL `PLAIN`.
    #[default]
    Plain,
    /// The same as `AMQPLAIN`, for old brokers.
    AmqPlain,
    /// By the client's certificate, as `EXTERNAL`: needs TLS with a `cert`, and RabbitMQ's plugin `rabbitmq_auth_mechanism_ssl`.
    External,
}

impl FromStr for Login {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "plain" => Ok(Self::Plain),
            "amqplain" => Ok(Self::AmqPlain),
            "external" => Ok(Self::External),
            _ => Err("must be `plain`, `amqplain` or `external`".to_owned()),
        }
    }
}

impl Tls {
    /// Takes one option, whether kinoko spells it, RabbitMQ's URLs, kombu's, or the keyword arguments of Python's `ssl`.
    ///
    /// `Ok(false)` for what is no option of TLS. The errors follow on the option's name.
    pub(super) fn set(&mut self, option: &str, value: &str) -> Result<bool, String> {
        let given = || if value.is_empty() { Err("is empty".to_owned()) } else { Ok(value) };
        match option {
            "ca" | "cacertfile" | "ca_certs" | "ssl_ca_certs" => self.ca = Some(given()?.into()),
            "cert" | "certfile" | "ssl_certfile" => self.cert = Some(given()?.into()),
            "key" | "keyfile" | "ssl_keyfile" => self.key = Some(given()?.into()),
            "server_name" | "server_name_indication" | "server_hostname" | "ssl_server_hostname" => match given()? {
                "disable" => {
                    return Err(
                        "cannot be switched off: the broker's certificate must be valid for some name".to_owned()
                    );
                }
                name => self.server_name = Some(name.to_owned()),
            },
            "verify" | "cert_reqs" | "ssl_cert_reqs" | "check_hostname" | "ssl_check_hostname" => {
                // `CERT_OPTIONAL` is for servers; a client verifies all the same. Python's constants are numbers.
                match value.trim_start_matches("verify_").trim_start_matches("CERT_").to_ascii_lowercase().as_str() {
                    "peer" | "required" | "optional" | "true" | "1" | "2" => {}
                    "none" | "false" | "0" => {
                        return Err("is off, but kinoko always verifies the broker: \
                         trust a certificate of your own with `ca`, another name with `server_name`"
                            .to_owned());
                    }
                    _ => return Err("must be `verify_peer` or `CERT_REQUIRED`, or left out".to_owned()),
                }
            }
            "password" => {
                return Err("is the password of an encrypted key, which kinoko does not read: \
                 decrypt the key with `openssl pkey`, and let only the program's user read it"
                    .to_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `true`, or a map of options.
    fn from_value(key: &str, value: &Value) -> Result<Option<Self>> {
        let wrong = |text: String| Error::new(ErrorKind::Config, text);
        let options = match value {
            Value::Null | Value::Bool(false) => return Ok(None),
            Value::Bool(true) => return Ok(Some(Self::default())),
            Value::Object(options) => options,
            _ => return Err(wrong(format!("setting `{key}`: write `true`, or a map of {OPTIONS}"))),
        };
        let mut tls = Self::default();
        for (option, value) in options {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                // Python's way to leave an option out.
                Value::Null => continue,
                _ => return Err(wrong(format!("setting `{key}.{option}` must be a text"))),
            };
            match tls.set(option, &text) {
                Ok(true) => {}
                // What says how Python wraps a socket, and the version, which is 1.2 or 1.3 in any case.
                Ok(false)
                    if matches!(
                        option.as_str(),
                        "ssl_version" | "do_handshake_on_connect" | "suppress_ragged_eofs"
                    ) => {}
                Ok(false) => {
                    return Err(wrong(format!("setting `{key}` has no option `{option}`: it takes {OPTIONS}")));
                }
                Err(text) => return Err(wrong(format!("setting `{key}.{option}` {text}"))),
            }
        }
        Ok(Some(tls))
    }

    /// The setting `amqp_tls`, or what Nameko calls it.
    pub(super) fn from_settings(settings: &Settings) -> Result<Option<Self>> {
        if let Some(value) = settings.get::<Value>("amqp_tls")? {
            return Self::from_value("amqp_tls", &value);
        }
        for nameko in ["amqp_ssl", "AMQP_SSL"] {
            if let Some(value) = settings.get::<Value>(nameko)? {
                return Self::from_value(nameko, &value);
            }
        }
        Ok(None)
    }
}

const OPTIONS: &str = "`ca`, `cert`, `key` and `server_name`";

impl Login {
    /// The setting `login_method`, which Nameko writes in capitals.
    pub(super) fn from_settings(settings: &Settings) -> Result<Self> {
        let nameko = "LOGIN_METHOD";
        let (key, text) = match settings.get::<String>("login_method")? {
            Some(text) => ("login_method", text),
            None => match settings.get::<String>(nameko)? {
                Some(text) => (nameko, text),
                None => return Ok(Self::default()),
            },
        };
        text.parse().map_err(|error| Error::new(ErrorKind::Config, format!("setting `{key}` {error}")))
    }
}
