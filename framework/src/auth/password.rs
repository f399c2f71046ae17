use std::{fmt, num::NonZero, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::{
    Error, ErrorKind, Result,
    config::SettingInfo,
    dependency::{Dependency, Scope, SetupContext},
};

/// The most bytes of a password: nobody types more, and each costs time.
const MAX_BYTES: usize = 1024;

/// What OWASP asks of argon2id at least: 19 MiB, two rounds, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;

const SETTINGS: [&str; 3] = ["password.memory_kib", "password.iterations", "password.concurrency"];

/// Hashes passwords with argon2id, on threads of their own. A dependency, and the same for all services of a program.
///
/// # Settings
///
/// | key | default | |
/// | --- | --- | --- |
/// | `password.memory_kib` | 19456 | how much memory one hash takes |
/// | `password.iterations` | 2 | how many rounds |
/// | `password.concurrency` | one for each core | how many are computed at once; the others wait |
///
/// The defaults are OWASP's; a hash says itself how it was made, so that older ones can be verified when they change.
///
/// # Examples
///
/// ```
/// use kinoko::auth::Password;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let passwords = Password::default();
/// let hash = passwords.hash("correct horse").await?;
/// assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// assert!(passwords.verify("correct horse", Some(&hash)).await?);
/// assert!(!passwords.verify("battery staple", Some(&hash)).await?);
/// // Nobody of that name: it takes as long, so that the time does not tell.
/// assert!(!passwords.verify("correct horse", None).await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Password(Arc<Inner>);

struct Inner {
    params: Params,
    permits: Arc<Semaphore>,
}

impl Default for Password {
    /// With the defaults of the settings.
    fn default() -> Self {
        Self::of(Params::new(MEMORY_KIB, ITERATIONS, 1, None).expect("OWASP's are valid"), cores())
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

impl Dependency for Password {
    type Options = ();
    const SCOPE: Scope = Scope::Process;

    fn settings((): &()) -> Vec<SettingInfo> {
        let [memory, iterations, concurrency] = SETTINGS.map(SettingInfo::new);
        vec![memory.default_text("19456"), iterations.default_text("2"), concurrency]
    }

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        let settings = cx.settings();
        let [memory, iterations, concurrency] = SETTINGS;
        let params = Params::new(
            settings.get(memory)?.unwrap_or(MEMORY_KIB),
            settings.get(iterations)?.unwrap_or(ITERATIONS),
            1,
            None,
        );
        let params = params.map_err(|error| settings.refuse(memory, format!("argon2 does not take that: {error}")))?;
        let at_once: usize = settings.get(concurrency)?.unwrap_or_else(cores);
        if at_once == 0 {
            return Err(settings.refuse(concurrency, "it takes at least 1"));
        }
        Ok(Self::of(params, at_once))
    }
}

impl Password {
    fn of(params: Params, concurrency: usize) -> Self {
        Self(Arc::new(Inner { params, permits: Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS))) }))
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.0.params.clone())
    }

    /// The hash of a password, with a salt of its own, to be stored as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for a password of more than 1024 bytes.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it is computed for nothing.
    pub async fn hash(&self, password: &str) -> Result<String> {
        if password.len() > MAX_BYTES {
            return Err(Error::new(ErrorKind::Usage, format!("a password has at most {MAX_BYTES} bytes")));
        }
        let (argon2, password) = (self.argon2(), password.to_owned());
        self.compute(move || hashed(&argon2, &password)).await?
    }

    /// Whether it is the password of this hash. `None`: there is nobody whose it could be; it is `false`, and takes as long.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] for what is no hash of argon2.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it is computed for nothing.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let (argon2, hash) = (self.argon2(), hash.map(str::to_owned));
        // What nobody can have set is not looked at, and costs as much as what is.
        let (password, too_long) = match password.len() > MAX_BYTES {
            true => (String::new(), true),
            false => (password.to_owned(), false),
        };
        self.compute(move || {
            let Some(hash) = hash else { return hashed(&argon2, &password).map(|_| false) };
            let hash = PasswordHash::new(&hash).map_err(|_| Error::msg("what is stored is no hash of a password"))?;
            Ok(argon2.verify_password(password.as_bytes(), &hash).is_ok() && !too_long)
        })
        .await?
    }

    /// Whether a hash was made with less than the settings ask for by now: then the password is to be hashed again, when it was right.
    pub fn is_outdated(&self, hash: &str) -> bool {
        let Ok(hash) = PasswordHash::new(hash) else { return true };
        match Params::try_from(&hash) {
            Ok(params) => {
                let own = &self.0.params;
                hash.algorithm.as_str() != "argon2id"
                    || params.m_cost() < own.m_cost()
                    || params.t_cost() < own.t_cost()
            }
            Err(_) => true,
        }
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = self.0.permits.clone().acquire_owned().await.map_err(|_| Error::msg("nobody closes it"))?;
        crate::task::blocking(move || {
            // Held until it is done, whoever still waits for it.
            let _permit = permit;
            work()
        })
        .await
    }
}

fn hashed(argon2: &Argon2<'_>, password: &str) -> Result<String> {
    let hash = argon2.hash_password(password.as_bytes());
    Ok(hash.map_err(|error| Error::msg(format!("the password could not be hashed: {error}")))?.to_string())
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = &self.0.params;
        f.debug_struct("Password")
            .field("memory_kib", &params.m_cost())
            .field("iterations", &params.t_cost())
            .finish_non_exhaustive()
    }
}
