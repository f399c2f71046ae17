use std::{fmt, sync::Arc};

use ring::{
    hmac,
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey},
};

use super::{Algorithm, jwk, pem};
use crate::{Error, ErrorKind, Result, protocol::Value};

/// The least bytes of a secret: as many as the hash has (RFC 7518, 3.2).
const MIN_SECRET_BYTES: usize = 32;

/// A key that tokens are verified with, and signed with where it is a secret or the private half. Cheap to clone.
///
/// It has one algorithm, whatever a token says, and may have a name, the `kid`, by which tokens choose it.
///
/// # Examples
///
/// ```
/// use kinoko::auth::Key;
///
/// let key = Key::hs256(b"0123456789abcdef0123456789abcdef")?.with_kid("2026-11");
/// assert_eq!(format!("{key:?}"), r#"Key { algorithm: HS256, kid: Some("2026-11"), signs: true }"#);
/// assert!(Key::hs256(b"too short").is_err());
/// # Ok::<(), kinoko::Error>(())
/// ```
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    kid: Option<Arc<str>>,
    half: Arc<Half>,
}

/// What a key is made of.
enum Half {
    Secret(hmac::Key),
    Public(PublicKey),
    Private { public: PublicKey, private: PrivateKey },
}

/// What verifies.
pub(super) enum PublicKey {
    /// RSA, by modulus and exponent.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point of P-256, not compressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// What signs.
pub(super) enum PrivateKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// A secret, for HS256.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for one of less than 32 bytes, and for a key in PEM: who takes a public key for a secret lets everybody sign.
    pub fn hs256(secret: &[u8]) -> Result<Self> {
        if secret.len() < MIN_SECRET_BYTES {
            let text = format!(
                "a secret of {} bytes can be guessed: take {MIN_SECRET_BYTES} random ones (`openssl rand -base64 32`)",
                secret.len()
            );
            return Err(config(text));
        }
        if secret.windows(10).any(|window| window == b"-----BEGIN") {
            return Err(config(
                "the secret is a key in PEM: name it `private_key` or `public_key`, with its `algorithm`",
            ));
        }
        Ok(Self::of(Algorithm::HS256, Half::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret))))
    }

    /// A private or public key in PEM: PKCS #8, PKCS #1 (RSA) or SPKI.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no such key, or a key of another algorithm, or an RSA key of less than 2048 bits.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self> {
        let half = match pem::read(algorithm, pem).map_err(config)? {
            pem::Read::Private(private) => Half::Private { public: private.public(), private },
            pem::Read::Public(public) => Half::Public(public),
        };
        Ok(Self::of(algorithm, half))
    }

    /// A public key, or an HS256 secret, as a JWK (RFC 7517). `None`: it is for something else, such as encryption, or of an algorithm that
    /// is not taken here.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no whole JWK.
    pub fn from_jwk(jwk: &Value) -> Result<Option<Self>> {
        let Some((read, kid)) = jwk::read(jwk).map_err(config)? else { return Ok(None) };
        let key = match read {
            jwk::Read::Secret(secret) => Self::hs256(&secret)?,
            jwk::Read::Public(public) => Self::of(public.algorithm(), Half::Public(public)),
        };
        Ok(Some(match kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        }))
    }

    /// Makes one up, for tests and scripts. RSA keys are not made here: ring makes none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for RS256; where the system has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        let (random, unspecified) = (SystemRandom::new(), |_| Error::msg("the system has no randomness"));
        let private = match algorithm {
            Algorithm::HS256 => {
                let key = hmac::Key::generate(hmac::HMAC_SHA256, &random).map_err(unspecified)?;
                return Ok(Self::of(algorithm, Half::Secret(key)));
            }
            Algorithm::ES256 => {
                let curve = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
                let document = EcdsaKeyPair::generate_pkcs8(curve, &random).map_err(unspecified)?;
                let pair = EcdsaKeyPair::from_pkcs8(curve, document.as_ref(), &random);
                PrivateKey::P256(pair.map_err(|error| config(error.to_string()))?)
            }
            Algorithm::EdDSA => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).map_err(unspecified)?;
                let pair = Ed25519KeyPair::from_pkcs8(document.as_ref());
                PrivateKey::Ed25519(pair.map_err(|error| config(error.to_string()))?)
            }
            Algorithm::RS256 => {
                return Err(config(
                    "RSA keys are not made here: `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`",
                ));
            }
        };
        Ok(Self::of(algorithm, Half::Private { public: private.public(), private }))
    }

    fn of(algorithm: Algorithm, half: Half) -> Self {
        Self { algorithm, kid: None, half: Arc::new(half) }
    }

    /// The same key under a name.
    #[must_use]
    pub fn with_kid(self, kid: impl Into<Arc<str>>) -> Self {
        Self { kid: Some(kid.into()), ..self }
    }

    /// What it signs by.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its name.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it can sign.
    pub fn signs(&self) -> bool {
        !matches!(*self.half, Half::Public(_))
    }

    /// Its public half as a JWK; `None` for a secret.
    pub fn public_jwk(&self) -> Option<Value> {
        let (Half::Public(public) | Half::Private { public, .. }) = &*self.half else { return None };
        Some(jwk::write(public, self.kid()))
    }

    /// Whether it has signed these bytes.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &*self.half {
            Half::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            Half::Public(public) | Half::Private { public, .. } => public.verifies(signed, signature),
        }
    }

    /// The signature of these bytes.
    pub(super) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        match &*self.half {
            Half::Secret(key) => Ok(hmac::sign(key, bytes).as_ref().to_vec()),
            Half::Private { private, .. } => private.sign(bytes),
            Half::Public(_) => Err(config("a public key signs nothing")),
        }
    }
}

impl PublicKey {
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::RS256,
            Self::P256(_) => Algorithm::ES256,
            Self::Ed25519(_) => Algorithm::EdDSA,
        }
    }

    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        const RSA: &signature::RsaParameters = &signature::RSA_PKCS1_2048_8192_SHA256;
        let verified = match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(RSA, signed, signature),
            Self::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Self::Ed25519(point) => UnparsedPublicKey::new(&signature::ED25519, point).verify(signed, signature),
        };
        verified.is_ok()
    }
}

impl PrivateKey {
    fn public(&self) -> PublicKey {
        match self {
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = pair.public().into();
                PublicKey::Rsa { n, e }
            }
            Self::P256(pair) => PublicKey::P256(pair.public_key().as_ref().to_vec()),
            Self::Ed25519(pair) => PublicKey::Ed25519(pair.public_key().as_ref().to_vec()),
        }
    }

    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let (random, unspecified) = (SystemRandom::new(), |_| Error::msg("the token could not be signed"));
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, bytes, &mut signature).map_err(unspecified)?;
                Ok(signature)
            }
            Self::P256(pair) => Ok(pair.sign(&random, bytes).map_err(unspecified)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(bytes).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for Key {
    /// Nothing of the key itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("signs", &self.signs())
            .finish()
    }
}

pub(super) fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, text.into())
}
