//! The settings of a `Jwt`.

use std::{fs, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{
    Algorithm, Key, KeySource,
    checks::Checks,
    development::DevelopmentKey,
    source::{self, File, Trust, Url},
};
use crate::{
    Result,
    config::{Mode, SettingInfo, Settings},
    dependency::SetupContext,
    features,
    protocol::Value,
};

/// All of them, with their defaults. What has none is nothing where nobody sets it.
const KEYS: [(&str, Option<&str>); 17] = [
    ("secret", None),
    ("keys", None),
    ("sign_with", None),
    ("jwks", None),
    ("jwks_refresh", Some("10m")),
    ("issuer", None),
    ("audience", None),
    ("leeway", Some("30s")),
    ("required", Some("[exp, sub]")),
    ("roles_claim", Some("roles")),
    ("scope_claim", Some("scope")),
    ("max_token_bytes", Some("8192")),
    ("cache", Some("1024")),
    ("ttl", Some("15m")),
    ("refresh_ttl", Some("30d")),
    ("cookie", None),
    ("cookie_origins", None),
];

/// What a `Jwt` is made of.
pub(super) struct JwtSettings {
    pub(super) keys: Vec<Key>,
    pub(super) source: Option<Box<dyn KeySource>>,
    pub(super) checks: Checks,
    pub(super) terms: Terms,
    pub(super) refresh: Duration,
    pub(super) cache: usize,
    pub(super) cookie: Option<String>,
}

/// What is issued.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) sign_with: Option<String>,
    pub(super) ttl: Duration,
    pub(super) refresh_ttl: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { sign_with: None, ttl: Duration::from_secs(15 * 60), refresh_ttl: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

/// How many verified tokens are kept, where nobody says.
pub(super) const CACHED: usize = 1024;

/// One entry of `jwt.keys`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySettings {
    algorithm: String,
    kid: Option<String>,
    secret: Option<String>,
    secret_file: Option<PathBuf>,
    private_key: Option<String>,
    private_key_file: Option<PathBuf>,
    public_key: Option<String>,
    public_key_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

pub(super) fn infos(section: &str) -> Vec<SettingInfo> {
    let info = |(name, default): &(&str, Option<&'static str>)| {
        let info = SettingInfo::new(format!("{section}.{name}"));
        match default {
            Some(default) => info.default_text(*default),
            None => info,
        }
    };
    KEYS.iter().map(info).collect()
}

impl JwtSettings {
    pub(super) async fn read(cx: &SetupContext, section: &str) -> Result<Self> {
        let settings = cx.settings();
        let key = |name: &str| format!("{section}.{name}");
        let mut keys = Vec::new();
        if let Some(secret) = settings.get::<String>(&key("secret"))? {
            keys.push(Key::hs256(secret.as_bytes()).map_err(|error| settings.refuse(&key("secret"), error))?);
        }
        for (place, of) in settings.get::<Vec<KeySettings>>(&key("keys"))?.unwrap_or_default().into_iter().enumerate() {
            keys.push(of.read().map_err(|why| settings.refuse(&key("keys"), format!("number {place}: {why}")))?);
        }
        let mut source: Option<Box<dyn KeySource>> = None;
        match settings.get::<Value>(&key("jwks"))? {
            None | Some(Value::Null) => {}
            Some(Value::String(place)) => {
                source = Some(from(&place).map_err(|why| settings.refuse(&key("jwks"), why))?)
            }
            Some(set) => {
                let read = source::of_value(&set, Trust::Local);
                keys.extend(read.map_err(|why| settings.refuse(&key("jwks"), why))?);
            }
        }
        if keys.is_empty() && source.is_none() {
            let is_in_memory = cx.rpc().transport().address().starts_with("memory://");
            match Mode::read(settings, is_in_memory)? {
                Mode::Development => keys.push(cx.require::<DevelopmentKey>().await?.0),
                Mode::Production => {
                    let text = "no key says which tokens are to be believed: set it to 32 random bytes (`openssl rand -base64 32`), or \
                                set `jwt.keys` or `jwt.jwks`; with `mode: development` a key is made up";
                    return Err(settings.refuse(&key("secret"), text));
                }
            }
        }
        let checks = Checks::default();
        let checks = Checks {
            issuer: texts(settings, &key("issuer"))?.unwrap_or_default(),
            audience: texts(settings, &key("audience"))?.unwrap_or_default(),
            leeway: settings.duration(&key("leeway"), checks.leeway)?,
            max_bytes: settings.get(&key("max_token_bytes"))?.unwrap_or(checks.max_bytes),
            required: texts(settings, &key("required"))?.unwrap_or(checks.required),
            roles_claim: settings.get(&key("roles_claim"))?.unwrap_or(checks.roles_claim),
            scope_claim: settings.get(&key("scope_claim"))?.unwrap_or(checks.scope_claim),
        };
        let terms = Terms::default();
        let terms = Terms {
            sign_with: settings.get(&key("sign_with"))?,
            ttl: lasting(settings, &key("ttl"), terms.ttl)?,
            refresh_ttl: lasting(settings, &key("refresh_ttl"), terms.refresh_ttl)?,
        };
        if let Some(kid) = &terms.sign_with
            && !keys.iter().any(|known| known.signs() && known.kid() == Some(kid))
        {
            return Err(settings.refuse(
                &key("sign_with"),
                format!("no key of `{kid}` can sign: give one that `kid` in `{section}.keys`"),
            ));
        }
        Ok(Self {
            keys,
            source,
            checks,
            terms,
            refresh: lasting(settings, &key("jwks_refresh"), Duration::from_secs(600))?,
            cache: settings.get(&key("cache"))?.unwrap_or(CACHED),
            cookie: settings.get(&key("cookie"))?,
        })
    }
}

impl KeySettings {
    fn read(self) -> Result<Key, String> {
        let algorithm: Algorithm = self.algorithm.parse()?;
        let secret = one(self.secret, self.secret_file, "secret")?;
        let private = one(self.private_key, self.private_key_file, "private_key")?;
        let public = one(self.public_key, self.public_key_file, "public_key")?;
        let key = match (algorithm, secret, private, public) {
            (Algorithm::HS256, Some(secret), None, None) => {
                Key::hs256(secret.trim_end_matches(['\r', '\n']).as_bytes())
            }
            (Algorithm::HS256, ..) => {
                return Err("HS256 takes a `secret` or a `secret_file`, and nothing else".to_owned());
            }
            (_, None, Some(pem), None) => Key::from_pem(algorithm, &pem).and_then(|key| match key.signs() {
                true => Ok(key),
                false => {
                    Err(super::key::config("`private_key` is a public key: it signs nothing; name it `public_key`"))
                }
            }),
            (_, None, None, Some(pem)) => Key::from_pem(algorithm, &pem).and_then(|key| match key.signs() {
                true => Err(super::key::config(
                    "`public_key` is a private key: name it `private_key` where it is to sign, and keep it secret",
                )),
                false => Ok(key),
            }),
            _ => {
                return Err(format!(
                    "{algorithm} takes a `private_key`, a `public_key`, or the file of one, and nothing else"
                ));
            }
        };
        let key = key.map_err(|error| error.to_string())?;
        Ok(match self.kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }
}

/// What is written there, or in a file.
fn one(text: Option<String>, file: Option<PathBuf>, name: &str) -> Result<Option<String>, String> {
    match (text, file) {
        (Some(_), Some(_)) => Err(format!("write `{name}` or `{name}_file`, not both")),
        (None, Some(file)) => {
            let read = fs::read_to_string(&file);
            read.map(Some)
                .map_err(|error| format!("the file `{}` (`{name}_file`) cannot be read: {error}", file.display()))
        }
        (text, None) => Ok(text),
    }
}

/// A file or a URL.
fn from(place: &str) -> Result<Box<dyn KeySource>, String> {
    if !place.starts_with("https://") && !place.starts_with("http://") {
        return Ok(Box::new(File(place.into())));
    }
    match features::FETCH {
        Some(fetch) => Ok(Box::new(Url { url: place.to_owned(), fetch })),
        None => Err("keys from a URL need kinoko's feature `http`, and for `https` also `tls`: write `kinoko = { …, features = [\"http\", \"tls\"] }` in Cargo.toml".to_owned()),
    }
}

fn texts(settings: &Settings, key: &str) -> Result<Option<Vec<String>>> {
    Ok(settings.get::<Texts>(key)?.map(|texts| match texts {
        Texts::One(text) => vec![text],
        Texts::Many(texts) => texts,
    }))
}

/// A duration that is not nothing.
fn lasting(settings: &Settings, key: &str, default: Duration) -> Result<Duration> {
    let duration = settings.duration(key, default)?;
    if duration.is_zero() {
        return Err(settings.refuse(key, "it takes a time longer than nothing"));
    }
    Ok(duration)
}
