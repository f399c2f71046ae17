use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::{
    Claims, Identity, Invalid, Issue, Key, KeySource, Refresh, Revocation, Unverified,
    cache::Cache,
    checks::{Checks, now},
    keyring::Keyring,
    settings::{self, CACHED, JwtSettings, Terms},
    token::{Kind, Parts},
};
use crate::{
    Error, ErrorKind, Result,
    config::SettingInfo,
    context::{AUTH_TOKEN, WorkerContext},
    dependency::{Dependency, SetupContext},
    protocol::{Fault, Value},
};

/// How long a look at what is revoked may take.
const REVOCATION_LIMIT: Duration = Duration::from_secs(5);

/// Issues tokens and looks at those of callers. A dependency.
///
/// With a field of this type nobody may call a method of the service that has neither [`#[guard]`](crate::guard) nor
/// [`#[public]`](crate::public). Callers bring their token as `Authorization: Bearer …`, in a cookie, or as Nameko's context data
/// `auth_token`, which calls and events made by the worker take along.
///
/// # Settings
///
/// | key | default | |
/// | --- | --- | --- |
/// | `jwt.secret` | | the secret of HS256, 32 bytes at least |
/// | `jwt.keys` | | further keys, a list of `algorithm`, `kid`, and `secret`, `private_key` or `public_key`, or the file of it: `private_key_file` |
/// | `jwt.sign_with` | the first that can | the `kid` of the key that signs |
/// | `jwt.jwks` | | keys of others: a JWKS, its file, or its URL |
/// | `jwt.jwks_refresh` | 10m | how often file or URL is read again |
/// | `jwt.issuer` | | whose tokens are believed, one or a list; the first stands in those that are issued |
/// | `jwt.audience` | | for whom a token has to be, one or a list; a token that is for somebody is refused where nobody is named here |
/// | `jwt.leeway` | 30s | how far clocks may be apart |
/// | `jwt.required` | `[exp, sub]` | the claims that a token must have |
/// | `jwt.roles_claim`, `jwt.scope_claim` | `roles`, `scope` | where roles and scopes stand; dots step into objects |
/// | `jwt.max_token_bytes` | 8192 | the largest token |
/// | `jwt.cache` | 1024 | how many verified tokens are kept, so that their signature is looked at once; `0`: none |
/// | `jwt.ttl`, `jwt.refresh_ttl` | 15m, 30d | how long issued tokens are valid |
/// | `jwt.cookie` | | the cookie that may carry the token over HTTP |
/// | `jwt.cookie_origins` | | pages of which other origins may send requests with it; `*`: all |
///
/// Without any key a program in development (`mode`) makes one up, which ends with it; in production it does not start.
/// `#[dependency(key = "partners")]` reads another section.
///
/// # Examples
///
/// ```
/// use kinoko::{auth::{Invalid, Jwt, Key, Unverified}, prelude::*};
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let jwt = Jwt::with_keys([Key::hs256(b"0123456789abcdef0123456789abcdef")?]);
/// let token = jwt.issue(&json!({"sub": "ada", "roles": ["clerk"]})).sign()?;
/// let claims = jwt.verify::<Value>(&token).await?;
/// assert_eq!((claims.identity().subject(), &claims["roles"][0]), ("ada", &json!("clerk")));
///
/// let other = Jwt::with_keys([Key::hs256(b"another secret, of 32 bytes too .")?]);
/// assert!(matches!(other.verify::<Value>(&token).await, Err(Unverified::Invalid(Invalid::Signature))));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Jwt(Arc<Inner>);

struct Inner {
    keyring: Arc<Keyring>,
    checks: Checks,
    terms: Terms,
    cache: Cache,
    revocation: OnceLock<Box<dyn Revocation>>,
    refresh: Duration,
    cookie: Option<String>,
    section: String,
}

/// What `#[dependency(…)]` on a [`Jwt`] field can say.
#[derive(Debug)]
pub struct JwtOptions {
    /// The section of the settings. Default: `jwt`.
    pub key: String,
}

impl Default for JwtOptions {
    fn default() -> Self {
        Self { key: "jwt".to_owned() }
    }
}

impl Dependency for Jwt {
    type Options = JwtOptions;

    fn settings(options: &JwtOptions) -> Vec<SettingInfo> {
        settings::infos(&options.key)
    }

    async fn setup(cx: &SetupContext, options: JwtOptions) -> Result<Self> {
        let JwtSettings { keys, source, checks, terms, refresh, cache, cookie } =
            JwtSettings::read(cx, &options.key).await?;
        let jwt = Self::of(Inner {
            keyring: Arc::new(Keyring::new(keys)),
            checks,
            terms,
            cache: Cache::new(cache),
            revocation: OnceLock::new(),
            refresh,
            cookie,
            section: options.key,
        });
        if let Some(source) = source {
            jwt.0.keyring.set_source(source);
        }
        Ok(jwt)
    }

    async fn start(&self) -> Result<()> {
        // What is a mistake in a file is told now; what cannot be reached may come yet.
        match self.0.keyring.refresh().await {
            Err(error) if error.kind() == ErrorKind::Config => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.0.keyring.keep_fresh(self.0.refresh);
        Ok(())
    }

    fn unready(&self) -> Option<String> {
        self.0.keyring.lacks()
    }

    async fn stop(&self) -> Result<()> {
        self.0.keyring.stop();
        Ok(())
    }
}

impl Jwt {
    fn of(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// With these keys and the defaults of all settings, outside of any service: for scripts, and for a service that a test builds itself.
    /// The first that can signs.
    pub fn with_keys(keys: impl IntoIterator<Item = Key>) -> Self {
        Self::of(Inner {
            keyring: Arc::new(Keyring::new(keys.into_iter().collect())),
            checks: Checks::default(),
            terms: Terms::default(),
            cache: Cache::new(CACHED),
            revocation: OnceLock::new(),
            refresh: Duration::MAX,
            cookie: None,
            section: JwtOptions::default().key,
        })
    }

    /// Begins a token with these claims: a map, or a struct of the program's own. `iat`, `exp`, `jti`, `iss` and `aud` are added where they
    /// are not there.
    pub fn issue<T: Serialize + ?Sized>(&self, claims: &T) -> Issue<'_> {
        Issue::new(self, claims)
    }

    /// Looks at an access token, and reads its claims.
    ///
    /// # Errors
    ///
    /// [`Unverified`]: for the log, not for whoever sent the token.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened.
    pub async fn verify<T: DeserializeOwned>(&self, token: &str) -> Result<Claims<T>, Unverified> {
        Claims::read(self.verified(token, Kind::Access).await?)
    }

    /// Looks at a refresh token. That it is used once is for its issuer to see to, who keeps its id: see [`Refresh`].
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened.
    pub async fn refresh(&self, token: &str) -> Result<Refresh, Unverified> {
        Refresh::read(&self.verified(token, Kind::Refresh).await?)
    }

    /// Asks this for every token that is looked at.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a second.
    pub fn revoked_by(&self, revocation: impl Revocation) -> Result<()> {
        let set = self.0.revocation.set(Box::new(revocation));
        set.map_err(|_| Error::new(ErrorKind::Usage, "a `Jwt` asks one `Revocation`, and has one already"))
    }

    /// Takes further keys from this source.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a second, of which `jwt.jwks` may be the first.
    pub fn keys_from(&self, source: impl KeySource) -> Result<()> {
        match self.0.keyring.set_source(Box::new(source)) {
            true => Ok(()),
            false => {
                let text = format!("a `Jwt` has one source of keys, and has one already (`{}.jwks`)", self.0.section);
                Err(Error::new(ErrorKind::Usage, text))
            }
        }
    }

    /// The public halves of the keys as a JWKS, for others to verify tokens with; secrets are not among them. A route that answers it is all
    /// that a `jwt.jwks` elsewhere needs.
    pub fn jwks(&self) -> Value {
        let (keys, _) = self.0.keyring.current();
        serde_json::json!({"keys": keys.public().filter_map(Key::public_jwk).collect::<Vec<_>>()})
    }

    /// The cookie that may carry the token.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only HTTP has cookies"))]
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.0.cookie.as_deref()
    }

    /// Where its settings are.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only HTTP reads one"))]
    pub(crate) fn section(&self) -> &str {
        &self.0.section
    }

    pub(super) fn checks(&self) -> &Checks {
        &self.0.checks
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// Whether it can issue tokens.
    #[cfg(feature = "testing")]
    pub(crate) fn signs(&self) -> bool {
        self.signing().is_ok()
    }

    /// The key that signs.
    pub(super) fn signing(&self) -> Result<Key> {
        let (keys, _) = self.0.keyring.current();
        let kid = self.0.terms.sign_with.as_deref();
        keys.signing(kid).cloned().ok_or_else(|| {
            let text =
                format!("no key can sign a token: set `{0}.secret`, or a `private_key` in `{0}.keys`", self.0.section);
            Error::new(ErrorKind::Config, text)
        })
    }

    /// Who fired a worker, looked at once. `None`: nobody says.
    pub(super) async fn identify(&self, cx: &WorkerContext) -> Result<Option<Identity>, Unverified> {
        cx.ask_tokens();
        if let Some(known) = cx.caller() {
            return Ok(known.and_then(Identity::of_principal));
        }
        let verified = match cx.get(AUTH_TOKEN) {
            None => {
                cx.set_caller(None);
                return Ok(None);
            }
            Some(Value::String(token)) => self.verified(token, Kind::Access).await,
            Some(_) => Err(Invalid::Malformed("it is no text").into()),
        };
        match &verified {
            Ok(identity) => cx.set_caller(Some(identity.principal())),
            Err(Unverified::Invalid(_)) => cx.set_caller(None),
            Err(Unverified::Unavailable(_)) => {}
        }
        verified.map(Some)
    }

    async fn verified(&self, token: &str, kind: Kind) -> Result<Identity, Unverified> {
        let generation = self.0.keyring.generation();
        let known = if kind == Kind::Access { self.0.cache.get(token, generation) } else { None };
        let identity = match known {
            Some(identity) => {
                let is_over = |exp| self.0.checks.is_over(exp, now());
                if identity.expires_at_secs().is_some_and(is_over) {
                    return Err(Invalid::Expired.into());
                }
                identity
            }
            None => Box::pin(self.check(token, kind)).await?,
        };
        if let Some(revocation) = self.0.revocation.get() {
            Box::pin(not_revoked(&**revocation, &identity)).await?;
        }
        Ok(identity)
    }

    /// Looks at a token that nobody has seen before.
    async fn check(&self, token: &str, kind: Kind) -> Result<Identity, Unverified> {
        let Inner { keyring, checks, cache, .. } = &*self.0;
        let parts = Parts::read(token, checks.max_bytes)?;
        let (mut keys, mut generation) = keyring.current();
        let mut verified = keys.verify(&parts);
        // Others change their keys, and name the new one.
        if matches!(verified, Err(Invalid::UnknownKey)) && keyring.look_again().await {
            (keys, generation) = keyring.current();
            verified = keys.verify(&parts);
        }
        if verified.is_err()
            && let Some(lacks) = keyring.lacks()
        {
            return Err(Unverified::Unavailable(Error::new(ErrorKind::Unavailable, lacks)));
        }
        verified?;
        let now = now();
        let identity = checks.pass(&parts, kind, now)?;
        if kind == Kind::Access {
            cache.put(token, generation, &identity, now);
        }
        Ok(identity)
    }
}

async fn not_revoked(revocation: &dyn Revocation, identity: &Identity) -> Result<(), Unverified> {
    let asked = AssertUnwindSafe(revocation.is_revoked(identity)).catch_unwind();
    let revoked = match timeout(REVOCATION_LIMIT, asked).await {
        Ok(Ok(revoked)) => revoked,
        Ok(Err(panic)) => Err(Error::msg(Fault::panic(&*panic).to_string())),
        Err(_) => {
            let text = format!("whether the token is revoked was not told within {REVOCATION_LIMIT:?}");
            Err(Error::new(ErrorKind::Unavailable, text))
        }
    };
    match revoked {
        Ok(false) => Ok(()),
        Ok(true) => Err(Invalid::Revoked.into()),
        Err(error) => Err(Unverified::Unavailable(error)),
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("section", &self.0.section).finish_non_exhaustive()
    }
}
