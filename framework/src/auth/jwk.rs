//! Keys as JSON (RFC 7517, RFC 8037).

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;

use super::{key::PublicKey, pem::MIN_RSA_BYTES};
use crate::protocol::Value;

/// What a JWK holds that is used here.
pub(super) enum Read {
    Public(PublicKey),
    Secret(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    k: Option<String>,
}

/// A key with its name. `None`: it is not for tokens, or for none that are taken here.
pub(super) fn read(value: &Value) -> Result<Option<(Read, Option<String>)>, String> {
    // No text of serde's: it may repeat a part of a secret.
    let jwk = Jwk::deserialize(value).map_err(|_| "it is no JWK: an object with the text `kty`".to_owned())?;
    let is_for_tokens = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify" || op == "sign"));
    let algorithm = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => "RS256",
        ("EC", Some("P-256")) => "ES256",
        ("OKP", Some("Ed25519")) => "EdDSA",
        ("oct", _) => "HS256",
        _ => return Ok(None),
    };
    // What a secret is for has to be said: HS384 takes the same bytes.
    let is_ours = jwk.alg.as_deref().map_or(algorithm != "HS256", |alg| alg == algorithm);
    if !is_for_tokens || !is_ours {
        return Ok(None);
    }
    let read = match algorithm {
        "HS256" => Read::Secret(part(jwk.k.as_deref(), "k")?),
        "RS256" => {
            let (n, e) = (part(jwk.n.as_deref(), "n")?, part(jwk.e.as_deref(), "e")?);
            let n: Vec<u8> = n.into_iter().skip_while(|byte| *byte == 0).collect();
            if n.len() < MIN_RSA_BYTES {
                return Err("the RSA key has less than 2048 bits".into());
            }
            Read::Public(PublicKey::Rsa { n, e })
        }
        "ES256" => {
            let (x, y) = (part(jwk.x.as_deref(), "x")?, part(jwk.y.as_deref(), "y")?);
            if x.len() != 32 || y.len() != 32 {
                return Err("`x` and `y` of a key of the curve P-256 have 32 bytes each".into());
            }
            Read::Public(PublicKey::P256([&[4], &*x, &*y].concat()))
        }
        _ => match part(jwk.x.as_deref(), "x")? {
            x if x.len() == 32 => Read::Public(PublicKey::Ed25519(x)),
            _ => return Err("`x` of an Ed25519 key has 32 bytes".into()),
        },
    };
    Ok(Some((read, jwk.kid)))
}

fn part(text: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("the key has no `{name}`"))?;
    BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| format!("`{name}` of the key is not base64url"))
}

/// A public key, for others to verify with.
pub(super) fn write(key: &PublicKey, kid: Option<&str>) -> Value {
    let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let mut jwk = match key {
        PublicKey::Rsa { n, e } => json!({"kty": "RSA", "n": text(n), "e": text(e)}),
        PublicKey::P256(point) => {
            json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
        }
        PublicKey::Ed25519(point) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(point)}),
    };
    jwk["alg"] = key.algorithm().name().into();
    jwk["use"] = "sig".into();
    if let Some(kid) = kid {
        jwk["kid"] = kid.into();
    }
    jwk
}
