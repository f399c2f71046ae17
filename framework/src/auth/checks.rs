//! What a token has to say.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Map;

use super::{
    Identity, Invalid,
    identity::Facts,
    token::{Kind, Parts},
};
use crate::protocol::Value;

/// What is asked of every token.
#[derive(Debug, Clone)]
pub(super) struct Checks {
    /// One of these; none: whatever it says.
    pub(super) issuer: Vec<String>,
    /// One of these; none: a token that is for somebody is for somebody else.
    pub(super) audience: Vec<String>,
    /// How far the clocks of two machines may be apart.
    pub(super) leeway: Duration,
    pub(super) max_bytes: usize,
    /// The claims that have to be there.
    pub(super) required: Vec<String>,
    /// Where roles stand.
    pub(super) roles_claim: String,
    /// Where scopes stand.
    pub(super) scope_claim: String,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            issuer: Vec::new(),
            audience: Vec::new(),
            leeway: Duration::from_secs(30),
            max_bytes: 8 * 1024,
            required: vec!["exp".into(), "sub".into()],
            roles_claim: "roles".into(),
            scope_claim: "scope".into(),
        }
    }
}

/// Seconds since the epoch, as tokens count.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Checks {
    /// What a token says whose signature is right.
    pub(super) fn pass(&self, parts: &Parts<'_>, wanted: Kind, now: u64) -> Result<Identity, Invalid> {
        if parts.kind != wanted {
            return Err(Invalid::Kind);
        }
        let claims = parts.claims()?;
        if let Some(missing) = self.required.iter().find(|name| claims.get(*name).is_none_or(Value::is_null)) {
            return Err(Invalid::Claim(missing.clone()));
        }
        let (expires_at, issued_at) = (time(&claims, "exp")?, time(&claims, "iat")?);
        if expires_at.is_some_and(|exp| self.is_over(exp, now)) {
            return Err(Invalid::Expired);
        }
        for (name, at) in [("nbf", time(&claims, "nbf")?), ("iat", issued_at)] {
            if at.is_some_and(|at| at > now.saturating_add(self.leeway.as_secs())) {
                return Err(Invalid::NotYet(name));
            }
        }
        self.issuer(&claims)?;
        self.audience(&claims)?;
        let facts = Facts {
            subject: text(&claims, "sub")?,
            id: text(&claims, "jti")?,
            roles: words(find(&claims, &self.roles_claim), |role| vec![role.to_owned()]),
            scopes: words(find(&claims, &self.scope_claim), |scopes| scopes.split(' ').map(str::to_owned).collect()),
            expires_at,
            issued_at,
        };
        Ok(Identity::new(facts, claims))
    }

    /// Whether what ends then is over now.
    pub(super) fn is_over(&self, exp: u64, now: u64) -> bool {
        exp.saturating_add(self.leeway.as_secs()) <= now
    }

    fn issuer(&self, claims: &Map<String, Value>) -> Result<(), Invalid> {
        let issuer = text(claims, "iss").map_err(|_| Invalid::Issuer)?;
        let is_known = |issuer: &str| self.issuer.iter().any(|known| known == issuer);
        match issuer {
            _ if self.issuer.is_empty() => Ok(()),
            Some(issuer) if is_known(&issuer) => Ok(()),
            _ => Err(Invalid::Issuer),
        }
    }

    /// Who is not named in a token's `aud` must not take it (RFC 7519, 4.1.3).
    fn audience(&self, claims: &Map<String, Value>) -> Result<(), Invalid> {
        let is_us = |name: &Value| name.as_str().is_some_and(|name| self.audience.iter().any(|known| known == name));
        let is_for_us = match claims.get("aud") {
            None => self.audience.is_empty(),
            Some(Value::Array(names)) => names.iter().all(Value::is_string) && names.iter().any(is_us),
            Some(name) => is_us(name),
        };
        if is_for_us { Ok(()) } else { Err(Invalid::Audience) }
    }
}

/// A claim that is a text, and not an empty one.
fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Invalid> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(Invalid::Claim(name.to_owned())),
    }
}

/// A claim that is a point in time: seconds since the epoch, which may have a fraction (RFC 7519, 2).
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Invalid> {
    /// Up to here a fraction is exact.
    const LATEST: f64 = 9_007_199_254_740_992.0;
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_u64().filter(|time| *time < LATEST as u64);
    // What has begun begins with the whole second after it, what ends with the one before.
    let rounded = value.as_f64().map(|time| if name == "exp" { time.floor() } else { time.ceil() });
    let broken = rounded.filter(|time| (0.0..LATEST).contains(time)).map(|time| time as u64);
    whole.or(broken).map(Some).ok_or_else(|| Invalid::Claim(name.to_owned()))
}

/// A claim by its name, or by a path with dots: `realm_access.roles`.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

/// The texts of a claim that is a list of them, or one. What is no text says nothing.
fn words(claim: Option<&Value>, of_text: fn(&str) -> Vec<String>) -> Vec<String> {
    let words = match claim {
        Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(Value::String(text)) => of_text(text),
        _ => Vec::new(),
    };
    words.into_iter().filter(|word| !word.is_empty()).collect()
}
