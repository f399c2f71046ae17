use std::{fmt, ops::Deref, sync::Arc};

use serde::de::DeserializeOwned;

use super::{Dependency, SetupContext};
use crate::{Error, ErrorKind, Result, config::SettingInfo};

/// A setting, read when the service is set up.
///
/// Options: `key` (dots step into maps: `orders.max_lines`), `default` (without one a missing setting ends the start), `secret`.
/// The environment variable of `orders.max_lines` is `KINOKO_ORDERS__MAX_LINES`.
/// The key of a section gives a struct or a map; a [`Duration`](std::time::Duration) is read from `30s`.
///
/// No error, log line or `show-config` has the value where it is a secret: by the option `secret`, or since the last word of its key
/// is `password`, `passwd`, `passphrase`, `pass`, `pwd`, `secret`, `token`, `key`, `apikey`, `credential` or `dsn`, also in the plural,
/// with a number behind it, and inside a section.
/// `Debug` shows the setting as it was written, without secrets.
///
/// # Examples
///
/// ```
/// use kinoko::prelude::*;
///
/// #[derive(Dependencies)]
/// struct Orders {
///     #[dependency(key = "orders.max_lines", default = 50)]
///     max_lines: Config<usize>,
/// }
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     fn limit(&self) -> usize {
///         *self.max_lines
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let settings = kinoko::Settings::from_yaml("orders: {max_lines: 7}")?;
/// let app = kinoko::App::new().settings(settings).service::<Orders>().start().await?;
/// assert_eq!(app.client::<OrdersClient>().limit().await?, 7);
/// # app.stop().await }
/// ```
#[derive(Clone)]
pub struct Config<T> {
    value: T,
    /// What `Debug` says: the value itself may hold secrets.
    shown: Arc<str>,
}

impl<T> Config<T> {
    /// A setting with this value, for tests.
    pub fn fixed(value: T) -> Self {
        Self { value, shown: "fixed".into() }
    }
}

impl<T> fmt::Debug for Config<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({})", self.shown)
    }
}

impl<T> Deref for Config<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// The options of a [`Config`] field.
#[derive(Debug)]
pub struct ConfigOptions<T> {
    /// Where the setting stands.
    pub key: Option<String>,
    /// What it is where nobody set it.
    pub default: Option<T>,
    /// Whether its value must not be shown, whatever its key is called.
    pub secret: bool,
}

impl<T> Default for ConfigOptions<T> {
    fn default() -> Self {
        Self { key: None, default: None, secret: false }
    }
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> Dependency for Config<T> {
    type Options = ConfigOptions<T>;

    fn settings(options: &ConfigOptions<T>) -> Vec<SettingInfo> {
        let setting = options.key.clone().map(SettingInfo::new);
        setting.map(|setting| if options.secret { setting.secret() } else { setting }).into_iter().collect()
    }

    async fn setup(cx: &SetupContext, options: ConfigOptions<T>) -> Result<Self> {
        let declared = Self::settings(&options);
        let key = options.key.ok_or_else(|| {
            Error::new(ErrorKind::Config, "a `Config` field needs a key: `#[dependency(key = \"orders.max_lines\")]`")
        })?;
        let settings = cx.settings();
        settings.declare(declared);
        match settings.get(&key)? {
            Some(value) => {
                let shown = settings.shown(&key).unwrap_or_default();
                Ok(Self { value, shown: format!("{key} = {shown}").into() })
            }
            None => match options.default {
                Some(value) => Ok(Self { value, shown: format!("{key}, the default").into() }),
                None => Err(Error::new(ErrorKind::Config, settings.missing(&key))),
            },
        }
    }
}
