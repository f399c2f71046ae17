use std::{fmt, sync::Arc, time::Duration};

use super::{
    Balance, Discovery, Instance, Pick, Protocol, Target, directory::Directory, fixed::Fixed, followed::Followed,
};
use crate::{
    Error, ErrorKind, Result, Settings,
    dependency::{Dependency, SetupContext},
};

/// How long the first answer of a discovery is waited for, where no setting says.
pub(super) const WAIT: Duration = Duration::from_secs(5);

/// The instances of one service, as they come and go, and the choice among them. Cheap to clone; clones share all.
///
/// As a field of a service it is asked by name. Options: `service` (required), `protocol` (`"http"`, the default, or `"grpc"`: which port),
/// `balance` (`"round_robin"`, the default, `"least_loaded"` or `"nearest"`). Where they are, the settings say: see
/// [the module](super#settings).
///
/// # Examples
///
/// ```
/// use kinoko::{discovery::Instances, prelude::*};
///
/// #[derive(Dependencies)]
/// struct Shop {
///     #[dependency(service = "gateway", balance = "least_loaded")]
///     gateway: Instances,
/// }
///
/// #[service(name = "shop")]
/// impl Shop {
///     #[rpc]
///     async fn charge(&self) -> kinoko::Result<String> {
///         let gateway = self.gateway.pick().await?;
///         // The request goes to that URL; if nobody is there, `gateway.failed()` tells.
///         Ok(format!("{}/charges", gateway.url()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let settings = kinoko::Settings::from_yaml("discovery: {services: {gateway: ['10.0.0.1:8000']}}")?;
/// let app = kinoko::App::new().settings(settings).service::<Shop>().start().await?;
/// assert_eq!(app.client::<ShopClient>().charge().await?, "http://10.0.0.1:8000/charges");
/// # app.stop().await }
/// ```
#[derive(Clone)]
pub struct Instances {
    followed: Arc<Followed>,
    balance: Balance,
}

impl Instances {
    /// Instances that never change, by their addresses: `10.0.0.1:8000`, `https://api.internal`. For tests, and programs with a list of
    /// their own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no address.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn fixed<A: AsRef<str>>(service: impl Into<String>, addresses: impl IntoIterator<Item = A>) -> Result<Self> {
        let fixed = Fixed::of(addresses)?;
        Ok(Self::new(fixed, Target::new(service, Protocol::Http)))
    }

    /// What a discovery of your own finds.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn new(discovery: impl Discovery, target: Target) -> Self {
        Self { followed: Followed::begin(Arc::new(discovery), target, WAIT), balance: Balance::default() }
    }

    /// What the settings of a program say of a service: for a dependency that calls one.
    ///
    /// All of a program that follow the same port of the same service share what is found, and count their calls together.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where nothing says where the service is; the text says what to write.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is followed.
    pub async fn of(cx: &SetupContext, target: Target) -> Result<Self> {
        let directory = cx.require::<Directory>().await?;
        Ok(Self { followed: directory.follow(cx.settings(), target)?, balance: Balance::default() })
    }

    /// What settings say of a service: for programs that have no service themselves. In one, [`of`](Self::of) shares what is found.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn from_settings(settings: &Settings, target: Target) -> Result<Self> {
        let followed = Directory::read(settings)?.follow(settings, target)?;
        Ok(Self { followed, balance: Balance::default() })
    }

    /// Chooses otherwise than in turn.
    #[must_use]
    pub fn balance(mut self, balance: Balance) -> Self {
        self.balance = balance;
        self
    }

    /// The instance that the next call goes to. It counts as busy until the [`Pick`] is dropped.
    ///
    /// Waits for the first answer of the discovery, up to the setting `discovery.wait` (5 s); never after that.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] where no instance is known, or nothing yet.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing was picked.
    pub async fn pick(&self) -> Result<Pick> {
        let entries = self.followed.entries().await?;
        match self.balance.choose(&entries, &self.followed.next) {
            Some(entry) => Ok(Pick::new(entry.clone())),
            None => {
                let target = &self.followed.target;
                let stale =
                    self.stale().map_or_else(String::new, |why| format!(", and that may be out of date: {why}"));
                Err(Error::new(ErrorKind::Unavailable, format!("no instance of {target} is known{stale}")))
            }
        }
    }

    /// All that are known now, in the order in which they were found; those that are set aside, too.
    pub fn list(&self) -> Vec<Arc<Instance>> {
        let entries = self.followed.listed().unwrap_or_default();
        entries.iter().map(|entry| entry.instance.clone()).collect()
    }

    /// Why what is known may be out of date; `None`: it is not.
    pub fn stale(&self) -> Option<String> {
        self.followed.stale()
    }

    /// Waits until the instances are as told: for what has to happen when they change, and for tests.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn wait_for(&self, is_so: impl FnMut(&[Arc<Instance>]) -> bool) {
        self.followed.wait_for(is_so).await;
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances")
            .field("service", &self.followed.target.service)
            .field("protocol", &self.followed.target.protocol)
            .field("list", &self.list())
            .finish_non_exhaustive()
    }
}

/// The options of a field of [`Instances`].
#[derive(Debug, Clone, Default)]
pub struct InstancesOptions {
    /// Whose instances.
    pub service: Option<String>,
    /// At which port.
    pub protocol: Protocol,
    /// Which one a call goes to.
    pub balance: Balance,
}

impl Dependency for Instances {
    type Options = InstancesOptions;

    async fn setup(cx: &SetupContext, options: InstancesOptions) -> Result<Self> {
        let service = options.service.ok_or_else(|| {
            Error::new(ErrorKind::Config, "`Instances` needs a service: `#[dependency(service = \"gateway\")]`")
        })?;
        let instances = Self::of(cx, Target::new(service, options.protocol)).await?;
        Ok(instances.balance(options.balance))
    }

    /// An old answer is good enough; none at all means that no call can be made.
    fn unready(&self) -> Option<String> {
        let why = self.stale().filter(|_| self.followed.listed().is_none())?;
        Some(format!("the instances of {} are not known: {why}", self.followed.target))
    }
}
