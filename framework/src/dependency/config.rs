use std::ops::Deref;

use serde::de::DeserializeOwned;

use super::{Dependency, SetupContext};
use crate::{Error, ErrorKind, Result};

/// A setting, read when the service is set up.
///
/// Options: `key` (dots step into maps: `orders.max_lines`), `default` (without one a missing setting ends the start).
/// The environment variable of `orders.max_lines` is `KINOKO_ORDERS__MAX_LINES`.
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
#[derive(Debug, Clone)]
pub struct Config<T>(T);

impl<T> Config<T> {
    /// A setting with this value, for tests.
    pub fn fixed(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for Config<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The options of a [`Config`] field.
#[derive(Debug)]
pub struct ConfigOptions<T> {
    /// Where the setting stands.
    pub key: Option<String>,
    /// What it is where nobody set it.
    pub default: Option<T>,
}

impl<T> Default for ConfigOptions<T> {
    fn default() -> Self {
        Self { key: None, default: None }
    }
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> Dependency for Config<T> {
    type Options = ConfigOptions<T>;

    async fn setup(cx: &SetupContext, options: ConfigOptions<T>) -> Result<Self> {
        let key = options.key.ok_or_else(|| {
            Error::new(ErrorKind::Config, "a `Config` field needs a key: `#[dependency(key = \"orders.max_lines\")]`")
        })?;
        match cx.settings().get(&key)?.or(options.default) {
            Some(value) => Ok(Self(value)),
            None => Err(Error::new(ErrorKind::Config, crate::config::missing(&key))),
        }
    }
}
