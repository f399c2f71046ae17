//! Keys in PEM. What stands in the file is never repeated: it is the key.

use jsonwebtoken::{DecodingKey, EncodingKey, errors::Error};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};

use super::{
    Algorithm,
    key::{PrivateKey, PublicKey},
};

/// Which half of a key it is.
pub(super) enum Read {
    Private(PrivateKey),
    Public(PublicKey),
}

/// The least bytes of the modulus of an RSA key.
pub(super) const MIN_RSA_BYTES: usize = 256;

pub(super) fn read(algorithm: Algorithm, pem: &str) -> Result<Read, String> {
    let holds = |word: &str| pem.contains(word);
    if holds("ENCRYPTED") {
        return Err(
            "the key is encrypted: decrypt it (`openssl pkey -in … -out …`) and let only the program's user read it"
                .into(),
        );
    }
    if holds("BEGIN CERTIFICATE") {
        return Err("it is a certificate: take its key out of it (`openssl x509 -pubkey -noout -in …`)".into());
    }
    if holds("BEGIN EC PRIVATE KEY") {
        return Err("the key is in SEC 1: convert it to PKCS #8 (`openssl pkcs8 -topk8 -nocrypt -in … -out …`)".into());
    }
    if !holds("-----BEGIN") {
        return Err("it holds no `-----BEGIN`: a key has to be PEM".into());
    }
    match holds("PRIVATE KEY-----") {
        true => private(algorithm, pem).map(Read::Private),
        false => public(algorithm, pem).map(Read::Public),
    }
}

fn private(algorithm: Algorithm, pem: &str) -> Result<PrivateKey, String> {
    let (bytes, random) = (pem.as_bytes(), SystemRandom::new());
    let other = |_: Error| not_of(algorithm, "private");
    let rejected = |error: ring::error::KeyRejected| match error.to_string().as_str() {
        "TooSmall" => "the RSA key has less than 2048 bits".to_owned(),
        why => format!("the key is not usable ({why})"),
    };
    match algorithm {
        Algorithm::HS256 => Err(not_of(algorithm, "private")),
        Algorithm::RS256 => {
            let key = EncodingKey::from_rsa_pem(bytes).map_err(other)?;
            RsaKeyPair::from_der(key.as_bytes()).map(PrivateKey::Rsa).map_err(rejected)
        }
        Algorithm::ES256 => {
            let key = EncodingKey::from_ec_pem(bytes).map_err(other)?;
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_bytes(), &random);
            pair.map(PrivateKey::P256).map_err(|error| format!("it is no key of the curve P-256 ({error})"))
        }
        Algorithm::EdDSA => {
            let key = EncodingKey::from_ed_pem(bytes).map_err(other)?;
            // OpenSSL leaves the public half out.
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes()).map(PrivateKey::Ed25519).map_err(rejected)
        }
    }
}

fn public(algorithm: Algorithm, pem: &str) -> Result<PublicKey, String> {
    let bytes = pem.as_bytes();
    let other = |_: Error| not_of(algorithm, "public");
    let key = match algorithm {
        Algorithm::HS256 => return Err(not_of(algorithm, "public")),
        Algorithm::RS256 => DecodingKey::from_rsa_pem(bytes).map_err(other)?,
        Algorithm::ES256 => DecodingKey::from_ec_pem(bytes).map_err(other)?,
        Algorithm::EdDSA => DecodingKey::from_ed_pem(bytes).map_err(other)?,
    };
    let bytes = key.try_get_as_bytes().map_err(other)?.to_vec();
    match (algorithm, bytes.len()) {
        (Algorithm::RS256, _) => match components(&bytes) {
            Some((n, e)) if n.len() >= MIN_RSA_BYTES => Ok(PublicKey::Rsa { n: n.to_vec(), e: e.to_vec() }),
            Some(_) => Err("the RSA key has less than 2048 bits".into()),
            None => Err(not_of(algorithm, "public")),
        },
        (Algorithm::ES256, 65) if bytes.first() == Some(&4) => Ok(PublicKey::P256(bytes)),
        (Algorithm::ES256, _) => Err("it is no key of the curve P-256, with its point not compressed".into()),
        (Algorithm::EdDSA, 32) => Ok(PublicKey::Ed25519(bytes)),
        _ => Err(not_of(algorithm, "public")),
    }
}

fn not_of(algorithm: Algorithm, half: &str) -> String {
    match algorithm {
        Algorithm::HS256 => "HS256 takes a `secret`, and no key in PEM".to_owned(),
        _ => format!("it holds no {half} key for {algorithm} in PEM"),
    }
}

/// Modulus and exponent of a public RSA key in DER.
fn components(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = element(der, 0x30)?;
    let (n, rest) = element(sequence, 0x02)?;
    let (e, _) = element(rest, 0x02)?;
    Some((n.strip_prefix(&[0]).unwrap_or(n), e.strip_prefix(&[0]).unwrap_or(e)))
}

/// One element of DER with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}
