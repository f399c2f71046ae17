use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use super::{
    Channel,
    pool::{Pool, Source},
    settings::ClientSettings,
};
use crate::{
    Error, ErrorKind, Result, Settings,
    config::SettingInfo,
    dependency::{Dependency, SetupContext},
    discovery::{Balance, Instances, Protocol, Target},
    grpc::{ProtoService, own::OwnServer},
    observe::Observer,
    resilience::PolicySettings,
};

/// A client of a service in a `.proto` file, as a field: `inventory: GrpcClient<Inventory>`. Its methods are those of the client that
/// `kinoko-build` makes, to which it dereferences.
///
/// Options: `service`, the name under which its instances are found, where that is not the last word of its name in the file in snake case
/// (`inventory` for `inventory.v1.Inventory`): [discovery](mod@crate::discovery) says how. What the program serves itself needs no address: where nothing
/// else is said, calls go to its own server. `balance`: `"round_robin"` (the default), `"least_loaded"` or `"nearest"`. And those of a [`Policy`](crate::resilience::Policy) around each call: `timeout`, `retry`,
/// `breaker`, `bulkhead`, `rate_limit`.
///
/// Outside a service, [`connect`](Self::connect) makes one.
pub struct GrpcClient<S: ProtoService> {
    client: S::Client,
    channel: Channel,
}

/// The options of a [`GrpcClient`] field.
#[derive(Debug, Clone, Default)]
pub struct GrpcClientOptions {
    /// The name under which the instances are found.
    pub service: Option<String>,
    /// Which instance a call goes to.
    pub balance: Balance,
    /// What goes around each call. Its `timeout` is how long a call may take in all, where the call does not say; default: the setting
    /// `grpc.timeout`.
    pub policy: PolicySettings,
}

impl<S: ProtoService> GrpcClient<S> {
    fn over(channel: Channel) -> Self {
        Self { client: channel.clone().into(), channel }
    }

    /// A client of the service at an address, for tests and tools: `http://127.0.0.1:50051`. Connects with the first call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no address.
    pub fn connect(address: impl Into<String>) -> Result<Self> {
        Self::connect_with(address, &Settings::default())
    }

    /// [`connect`](Self::connect), with the settings below `grpc.` that a program has.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for what is no address, and for settings that make no sense.
    pub fn connect_with(address: impl Into<String>, settings: &Settings) -> Result<Self> {
        let (address, settings) = (address.into(), ClientSettings::read(settings)?);
        settings.endpoint(&address).map_err(|text| Error::new(ErrorKind::Config, text))?;
        let instances = Instances::fixed(S::NAME, [address])?;
        let pool = Pool::new(Source::Found(instances), settings.clone());
        let channel = Channel::new(S::NAME.into(), pool, settings, (None, None), Observer::off());
        Ok(Self::over(channel))
    }
}

#[cfg(feature = "testing")]
impl<S: ProtoService> GrpcClient<S> {
    /// A client of the program's own server.
    pub(crate) fn of_own(own: OwnServer) -> Result<Self> {
        let settings = ClientSettings::read(&Settings::default())?;
        let pool = Pool::new(Source::Own(own), settings.clone());
        Ok(Self::over(Channel::new(S::NAME.into(), pool, settings, (None, None), Observer::off())))
    }
}

/// `inventory.v1.StockKeeper` → `stock_keeper`
fn name_in_discovery(proto: &str) -> String {
    let last = proto.rsplit('.').next().unwrap_or(proto);
    let mut name = String::new();
    for (at, letter) in last.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

impl<S: ProtoService> Dependency for GrpcClient<S> {
    type Options = GrpcClientOptions;

    fn settings(_: &GrpcClientOptions) -> Vec<SettingInfo> {
        vec![SettingInfo::new(crate::resilience::section(S::NAME))]
    }

    async fn setup(cx: &SetupContext, options: GrpcClientOptions) -> Result<Self> {
        let settings = ClientSettings::read(cx.settings())?;
        let policies = cx.policies();
        let policy = policies.overrides(S::NAME)?.over(options.policy);
        let timeout = policy.timeout;
        let policy = policy.has_parts().then(|| policies.get(cx.service(), S::NAME, policy)).transpose()?;
        let service = options.service.unwrap_or_else(|| name_in_discovery(S::NAME));
        let own = cx.require::<OwnServer>().await?;
        let source = match Instances::of(cx, Target::new(service, Protocol::Grpc)).await {
            Ok(instances) => Source::Found(instances.balance(options.balance)),
            // That is known when all services of the program are.
            Err(error) => {
                own.want(S::NAME, error.chain());
                Source::Own(own)
            }
        };
        let pool = Pool::new(source, settings.clone());
        let channel = Channel::new(S::NAME.into(), pool, settings, (timeout, policy), cx.observer().clone());
        Ok(Self::over(channel))
    }

    /// Nobody can be called where nothing is known of where they are.
    fn unready(&self) -> Option<String> {
        self.channel.unready()
    }
}

impl<S: ProtoService> Clone for GrpcClient<S> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), channel: self.channel.clone() }
    }
}

impl<S: ProtoService> Deref for GrpcClient<S> {
    type Target = S::Client;

    fn deref(&self) -> &S::Client {
        &self.client
    }
}

impl<S: ProtoService> fmt::Debug for GrpcClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GrpcClient").field(&S::NAME).finish()
    }
}

impl Deref for GrpcClientOptions {
    type Target = PolicySettings;

    fn deref(&self) -> &PolicySettings {
        &self.policy
    }
}

impl DerefMut for GrpcClientOptions {
    fn deref_mut(&mut self) -> &mut PolicySettings {
        &mut self.policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_the_last_word_of_its_name() {
        assert_eq!(name_in_discovery("inventory.v1.Inventory"), "inventory");
        assert_eq!(name_in_discovery("StockKeeper"), "stock_keeper");
    }
}
