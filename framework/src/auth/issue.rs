use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::{Map, json};
use uuid::Uuid;

use super::{
    Jwt, Key, Refresh,
    checks::{Checks, now},
    token::{self, ACCESS, REFRESH},
};
use crate::{Error, ErrorKind, Result, protocol::Value};

/// A token that is not signed yet. From [`Jwt::issue`].
#[must_use = "a token is signed by `sign` or `pair`"]
pub struct Issue<'a> {
    jwt: &'a Jwt,
    claims: Result<Map<String, Value>>,
    ttl: Duration,
    family: Option<String>,
}

/// An access token for some minutes, and a refresh token to get the next pair with. As JSON it is what OAuth has (RFC 6749, 5.1).
///
/// `Debug` shows neither.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TokenPair {
    /// What calls bring along.
    pub access_token: String,
    /// What brings the next pair, once.
    pub refresh_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// How long the access token is valid, in seconds.
    pub expires_in: u64,
    /// What the refresh token says, for its issuer to keep.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub refresh: Refresh,
}

impl<'a> Issue<'a> {
    pub(super) fn new<T: Serialize + ?Sized>(jwt: &'a Jwt, claims: &T) -> Self {
        let claims = match serde_json::to_value(claims) {
            Ok(Value::Object(claims)) => Ok(claims),
            Ok(_) => Err(Error::new(ErrorKind::Usage, "the claims of a token are a map or a struct")),
            Err(error) => Err(Error::new(ErrorKind::Codec, format!("the claims of a token: {error}"))),
        };
        Self { jwt, claims, ttl: jwt.terms().ttl, family: None }
    }

    /// How long it is valid. Default: the setting `jwt.ttl`.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// The family of the refresh token that is used up for this pair: [`Refresh::family`].
    pub fn family(self, family: impl Into<String>) -> Self {
        Self { family: Some(family.into()), ..self }
    }

    /// Signs it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where no key can sign; [`ErrorKind::Usage`] for claims that `jwt.required` has and these have not, and for a
    /// token that nobody would take for its size.
    pub fn sign(self) -> Result<String> {
        let Self { jwt, claims, ttl, .. } = self;
        let mut claims = claims?;
        let now = now();
        claims.entry("iat").or_insert_with(|| now.into());
        claims.entry("exp").or_insert_with(|| now.saturating_add(ttl.as_secs()).into());
        claims.entry("jti").or_insert_with(|| Uuid::new_v4().to_string().into());
        sign(jwt, ACCESS, claims)
    }

    /// Signs it, and a refresh token with it, which is for its issuer alone.
    ///
    /// # Errors
    ///
    /// As [`sign`](Self::sign); the claims must have a `sub`.
    pub fn pair(self) -> Result<TokenPair> {
        let (jwt, ttl) = (self.jwt, self.ttl);
        let subject = match &self.claims {
            Ok(claims) => claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned(),
            Err(_) => String::new(),
        };
        let family = self.family.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
        let access_token = self.sign()?;
        if subject.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "a refresh token is somebody's: the claims need a text `sub`"));
        }
        let (now, id) = (now(), Uuid::new_v4().to_string());
        let expires_at = now.saturating_add(jwt.terms().refresh_ttl.as_secs());
        let claims = json!({"sub": subject, "jti": id, "fam": family, "iat": now, "exp": expires_at});
        let Value::Object(claims) = claims else { unreachable!("it is written as an object") };
        let refresh_token = sign(jwt, REFRESH, claims)?;
        let refresh = Refresh::new(subject, id, family, expires_at);
        Ok(TokenPair { access_token, refresh_token, token_type: "Bearer", expires_in: ttl.as_secs(), refresh })
    }
}

fn sign(jwt: &Jwt, typ: &str, mut claims: Map<String, Value>) -> Result<String> {
    let Checks { issuer, audience, required, max_bytes, .. } = jwt.checks();
    if let Some(issuer) = issuer.first() {
        claims.entry("iss").or_insert_with(|| issuer.clone().into());
    }
    match audience.as_slice() {
        [] => {}
        [one] => drop(claims.entry("aud").or_insert_with(|| one.clone().into())),
        several => drop(claims.entry("aud").or_insert_with(|| several.to_vec().into())),
    }
    if let Some(missing) = required.iter().find(|name| typ == ACCESS && claims.get(*name).is_none_or(Value::is_null)) {
        return Err(Error::new(ErrorKind::Usage, format!("a token needs the claim `{missing}` (jwt.required)")));
    }
    let key: Key = jwt.signing()?;
    let mut header = json!({"alg": key.algorithm().name(), "typ": typ});
    if let Some(kid) = key.kid() {
        header["kid"] = kid.into();
    }
    let unsigned = token::unsigned(&header, &serde_json::to_vec(&claims)?);
    let signature = key.sign(unsigned.as_bytes())?;
    let token = token::signed(unsigned, &signature);
    if token.len() > *max_bytes {
        let text =
            format!("a token of {} bytes would be refused, {max_bytes} are allowed (jwt.max_token_bytes)", token.len());
        return Err(Error::new(ErrorKind::Usage, text));
    }
    Ok(token)
}

impl fmt::Debug for Issue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issue").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPair").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}
