use std::{path::PathBuf, str::FromStr};

use crate::{Result, config::Settings, protocol::Value};

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
    /// What to write instead.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "plain" => Ok(Self::Plain),
            "amqplain" => Ok(Self::AmqPlain),
            "external" => Ok(Self::External),
            _ => Err("write `plain`, `amqplain` or `external`"),
        }
    }
}

impl Tls {
    /// Takes one option, whether kinoko spells it, RabbitMQ's URLs, kombu's, or the keyword arguments of Python's `ssl`.
    ///
    /// `Ok(false)` for what is no option of TLS.
    pub(super) fn set(&mut self, option: &str, value: &str) -> Result<bool, &'static str> {
        let given = || if value.is_empty() { Err("it is empty") } else { Ok(value) };
        match option {
            "ca" | "cacertfile" | "ca_certs" | "ssl_ca_certs" => self.ca = Some(given()?.into()),
            "cert" | "certfile" | "ssl_certfile" => self.cert = Some(given()?.into()),
            "key" | "keyfile" | "ssl_keyfile" => self.key = Some(given()?.into()),
            "server_name" | "server_name_indication" | "server_hostname" | "ssl_server_hostname" => match given()? {
                "disable" => {
                    return Err("it cannot be switched off: the broker's certificate must be valid for a name");
                }
                name => self.server_name = Some(name.to_owned()),
            },
            "verify" | "cert_reqs" | "ssl_cert_reqs" | "check_hostname" | "ssl_check_hostname" => {
                // `CERT_OPTIONAL` is for servers; a client verifies all the same. Python's constants are numbers.
                match value.trim_start_matches("verify_").trim_start_matches("CERT_").to_ascii_lowercase().as_str() {
                    "peer" | "required" | "optional" | "true" | "1" | "2" => {}
                    "none" | "false" | "0" => {
                        return Err("kinoko always verifies the broker: \
                             trust a certificate of your own with `ca`, another name with `server_name`");
                    }
                    _ => return Err("write `verify_peer` or `CERT_REQUIRED`, or leave it out"),
                }
            }
            "password" => {
                return Err("kinoko reads no encrypted key: \
                     decrypt it with `openssl pkey`, and let only the program's user read it");
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The setting `amqp_tls`: `true`, or a map of options. Nameko's `AMQP_SSL` is read as the same.
    pub(super) fn from_settings(settings: &Settings) -> Result<Option<Self>> {
        let options = match settings.get::<Value>("amqp_tls")? {
            None | Some(Value::Null | Value::Bool(false)) => return Ok(None),
            Some(Value::Bool(true)) => return Ok(Some(Self::default())),
            Some(Value::Object(options)) => options,
            // A variable is a text.
            Some(Value::String(text)) if text == "false" => return Ok(None),
            Some(Value::String(text)) if text == "true" => return Ok(Some(Self::default())),
            Some(_) => return Err(settings.refuse("amqp_tls", format!("write `true`, or a map of {OPTIONS}"))),
        };
        let mut tls = Self::default();
        for (option, value) in &options {
            let key = format!("amqp_tls.{option}");
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                // Python's way to leave an option out.
                Value::Null => continue,
                _ => return Err(settings.refuse(&key, "it must be a text")),
            };
            // How Python wraps a socket; and the version, which is 1.2 or 1.3 in any case.
            if ["ssl_version", "do_handshake_on_connect", "suppress_ragged_eofs"].contains(&option.as_str()) {
                continue;
            }
            if !tls.set(option, &text).map_err(|text| settings.refuse(&key, text))? {
                return Err(settings.refuse(&key, format!("there is no such option: `amqp_tls` takes {OPTIONS}")));
            }
        }
        Ok(Some(tls))
    }
}

const OPTIONS: &str = "`ca`, `cert`, `key` and `server_name`";

impl Login {
    /// The setting `login_method`, which Nameko writes in capitals.
    pub(super) fn from_settings(settings: &Settings) -> Result<Self> {
        let Some(text) = settings.get::<String>("login_method")? else { return Ok(Self::default()) };
        text.parse().map_err(|text: &str| settings.refuse("login_method", text))
    }
}
