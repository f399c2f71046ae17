//! A token in its compact form (RFC 7515, 7.1), taken apart. What is not written in the one right way is refused, before anything in it
//! counts.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Map;

use super::Invalid;
use crate::protocol::Value;

/// The longest `kid` that is looked up.
const MAX_KID_BYTES: usize = 256;

/// Members of a header that change what the rest of the token means (RFC 7515, 7516, 7797).
const NOT_UNDERSTOOD: [&str; 4] = ["crit", "b64", "zip", "enc"];

/// What stands in a token's `typ` that is a refresh token. Explicit typing, as RFC 8725 has it, 3.11.
pub(super) const REFRESH: &str = "rt+jwt";
/// Of an access token (RFC 9068).
pub(super) const ACCESS: &str = "at+jwt";

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Refresh,
}

/// A token whose signature nobody has looked at yet.
pub(super) struct Parts<'a> {
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
    pub(super) algorithm: String,
    pub(super) kid: Option<String>,
    pub(super) kind: Kind,
    payload: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub(super) fn read(token: &'a str, limit: usize) -> Result<Self, Invalid> {
        if token.len() > limit {
            return Err(Invalid::TooLarge { bytes: token.len(), limit });
        }
        let malformed = |what| move || Invalid::Malformed(what);
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed("it has no three parts"))?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed("it has no three parts"))?;
        if payload.contains('.') {
            return Err(Invalid::Malformed("it has more than three parts"));
        }
        // Canonical alone: without padding, and without bits that nobody reads.
        let decode = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).ok();
        let header = decode(header).ok_or_else(malformed("its header is not base64url"))?;
        let payload = decode(payload).ok_or_else(malformed("its payload is not base64url"))?;
        let signature = decode(signature).ok_or_else(malformed("its signature is not base64url"))?;
        let header = super::json::object(&header)
            .ok_or_else(malformed("its header is no JSON object, or has doubled members"))?;
        if let Some(found) = NOT_UNDERSTOOD.into_iter().find(|name| header.contains_key(*name)) {
            return Err(Invalid::Unsupported(found));
        }
        let Some(Value::String(algorithm)) = header.get("alg") else {
            return Err(Invalid::Malformed("its header has no `alg`"));
        };
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Some(kid.clone()),
            Some(_) => return Err(Invalid::Malformed("its `kid` is no text, or too long")),
        };
        let kind = kind(header.get("typ"))?;
        Ok(Self { signed: signed.as_bytes(), signature, algorithm: algorithm.clone(), kid, kind, payload })
    }

    /// Its claims, for whoever has looked at the signature.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, Invalid> {
        let malformed = "its payload is no JSON object, or has doubled members";
        super::json::object(&self.payload).ok_or(Invalid::Malformed(malformed))
    }
}

fn kind(typ: Option<&Value>) -> Result<Kind, Invalid> {
    let typ = match typ {
        None => return Ok(Kind::Access),
        Some(Value::String(typ)) => typ,
        Some(_) => return Err(Invalid::Malformed("its `typ` is no text")),
    };
    // `application/` may stand before it (RFC 7515, 4.1.9).
    let typ = typ.strip_prefix("application/").unwrap_or(typ);
    match typ {
        _ if typ.eq_ignore_ascii_case("jwt") || typ.eq_ignore_ascii_case(ACCESS) => Ok(Kind::Access),
        _ if typ.eq_ignore_ascii_case(REFRESH) => Ok(Kind::Refresh),
        // Of another use: a logout token, a DPoP proof.
        _ => Err(Invalid::Kind),
    }
}

/// What is to be signed.
pub(super) fn unsigned(header: &Value, claims: &[u8]) -> String {
    let mut text = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    text.push('.');
    BASE64URL_NOPAD.encode_append(claims, &mut text);
    text
}

/// Adds the signature.
pub(super) fn signed(mut unsigned: String, signature: &[u8]) -> String {
    unsigned.push('.');
    BASE64URL_NOPAD.encode_append(signature, &mut unsigned);
    unsigned
}
