//! Where keys come from that change: a JWKS file, a JWKS URL, or a source of the program's own.

use std::path::PathBuf;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use super::{Algorithm, Key, key::config};
use crate::{Error, ErrorKind, Result, protocol::Value};

/// The most bytes of a JWKS.
pub(super) const MAX_JWKS_BYTES: usize = 256 * 1024;
/// The most keys of one.
const MAX_KEYS: usize = 64;

/// Reads what a URL leads to, at most so many bytes of it.
pub(crate) type Fetch = fn(String, usize) -> BoxFuture<'static, Result<Vec<u8>>>;

/// Where keys come from that change while a program runs.
///
/// It is asked at the start, then as often as `jwt.jwks_refresh` says, and when a token names a key that nobody knows, at most every 10 s.
/// Keys that it no longer gives count no more; while it fails, those that it gave last do. Give it to a [`Jwt`](super::Jwt) with
/// [`keys_from`](super::Jwt::keys_from).
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The keys that are good now.
    ///
    /// # Errors
    ///
    /// Are logged; the keys of before stay. The same after 5 s without an answer.
    async fn keys(&self) -> Result<Vec<Key>>;
}

/// A JWKS file, read again each time.
pub(super) struct File(pub(super) PathBuf);

#[async_trait]
impl KeySource for File {
    async fn keys(&self) -> Result<Vec<Key>> {
        let unusable = |why: String| config(format!("the JWKS file `{}`: {why}", self.0.display()));
        let path = self.0.clone();
        let bytes =
            crate::task::blocking(move || std::fs::read(path)).await?.map_err(|error| unusable(error.to_string()))?;
        read(&bytes, Trust::Local).map_err(unusable)
    }
}

/// A JWKS at a URL.
pub(super) struct Url {
    pub(super) url: String,
    pub(super) fetch: Fetch,
}

#[async_trait]
impl KeySource for Url {
    async fn keys(&self) -> Result<Vec<Key>> {
        let unusable = |why: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::Unavailable,
                format!("the JWKS at {}: {why}", crate::config::without_passwords(&self.url)),
            )
        };
        let bytes = (self.fetch)(self.url.clone(), MAX_JWKS_BYTES).await.map_err(|error| unusable(&error.chain()))?;
        read(&bytes, Trust::Remote).map_err(|why| unusable(&why))
    }
}

/// Whether a set may hold secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Of this machine.
    Local,
    /// Of whoever answers: a secret that is published is none.
    Remote,
}

/// Reads a JWKS (RFC 7517, 5).
pub(super) fn read(bytes: &[u8], trust: Trust) -> Result<Vec<Key>, String> {
    if bytes.len() > MAX_JWKS_BYTES {
        return Err(format!("it has more than {MAX_JWKS_BYTES} bytes"));
    }
    // No text of the parser's: it may repeat a secret.
    let set: Value = serde_json::from_slice(bytes).map_err(|_| "it is no JSON".to_owned())?;
    of_value(&set, trust)
}

/// The same of JSON that is read.
pub(super) fn of_value(set: &Value, trust: Trust) -> Result<Vec<Key>, String> {
    let Some(jwks) = set.get("keys").and_then(Value::as_array) else {
        return Err("it is no JWKS: an object with the list `keys`".to_owned());
    };
    if jwks.len() > MAX_KEYS {
        return Err(format!("it has {} keys, more than {MAX_KEYS}", jwks.len()));
    }
    let mut keys = Vec::new();
    for (place, jwk) in jwks.iter().enumerate() {
        // One that cannot be used does not take the others with it.
        match Key::from_jwk(jwk) {
            Ok(Some(key)) if trust == Trust::Remote && key.algorithm() == Algorithm::HS256 => {
                tracing::warn!(place, "a key of a JWKS is left out: a secret that is published is none");
            }
            Ok(Some(key)) => keys.push(key),
            Ok(None) => tracing::debug!(place, "a key of a JWKS is left out: it is for something else"),
            Err(error) => tracing::warn!(place, error = error.chain(), "a key of a JWKS cannot be used"),
        }
    }
    if keys.is_empty() {
        return Err("it has no key for HS256, RS256, ES256 or EdDSA".to_owned());
    }
    Ok(keys)
}
