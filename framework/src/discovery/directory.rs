//! The services that a program follows.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

#[cfg(feature = "consul")]
use super::consul::{Consul, InConsul};
use super::{
    Discovery, Target,
    followed::Followed,
    instances::WAIT,
    place::{FORMS, Place},
};
use crate::{
    Error, ErrorKind, Result, Settings,
    dependency::{Dependency, Scope, SetupContext},
    protocol::Value,
};

/// How old an answer of DNS may be, where no setting says.
const DNS_REFRESH: Duration = Duration::from_secs(5);

type Map = std::collections::BTreeMap<String, Value>;

/// What all of a program's [`Instances`](super::Instances) share.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Shared>);

struct Shared {
    dns_refresh: Duration,
    wait: Duration,
    #[cfg(feature = "consul")]
    consul: Option<Arc<Consul>>,
    followed: Mutex<HashMap<Target, Weak<Followed>>>,
}

impl Directory {
    /// Follows a service, as the settings say; with those that follow it already.
    pub(super) fn follow(&self, settings: &Settings, target: Target) -> Result<Arc<Followed>> {
        let mut all = self.0.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(followed) = all.get(&target).and_then(Weak::upgrade) {
            return Ok(followed);
        }
        let source = self.source(settings, &target)?;
        let followed = Followed::begin(source, target.clone(), self.0.wait);
        all.insert(target, Arc::downgrade(&followed));
        Ok(followed)
    }

    fn source(&self, settings: &Settings, target: &Target) -> Result<Arc<dyn Discovery>> {
        let key = format!("discovery.services.{}", target.service);
        let listed = settings.get::<Map>("discovery.services")?.unwrap_or_default();
        let Some(value) = listed.get(&target.service) else {
            #[cfg(feature = "consul")]
            if let Some(consul) = &self.0.consul {
                let (name, tag) = (target.service.clone(), Some(target.protocol.name().to_owned()));
                return Ok(Arc::new(InConsul { consul: consul.clone(), name, tag, datacenter: None }));
            }
            let text = format!("nothing says where service `{}` is: set `{key}`: {FORMS}", target.service);
            return Err(Error::new(ErrorKind::Config, text));
        };
        let place = Place::read(value, target, self.0.dns_refresh).map_err(|error| settings.refuse(&key, error))?;
        match place {
            Place::Here(source) => Ok(source),
            #[cfg(feature = "consul")]
            Place::Consul { name, tag, datacenter } => match &self.0.consul {
                Some(consul) => Ok(Arc::new(InConsul { consul: consul.clone(), name, tag, datacenter })),
                None => Err(settings.refuse(&key, "`consul://` needs an agent: set `consul.address`")),
            },
            #[cfg(not(feature = "consul"))]
            Place::Consul { .. } => Err(settings.refuse(&key, "`consul://` needs the feature `consul`")),
        }
    }
}

impl Dependency for Directory {
    type Options = ();

    const SCOPE: Scope = Scope::Process;

    async fn setup(cx: &SetupContext, (): ()) -> Result<Self> {
        Self::read(cx.settings())
    }
}

impl Directory {
    pub(super) fn read(settings: &Settings) -> Result<Self> {
        Ok(Self(Arc::new(Shared {
            dns_refresh: settings.duration("discovery.dns_refresh", DNS_REFRESH)?,
            wait: settings.duration("discovery.wait", WAIT)?,
            #[cfg(feature = "consul")]
            consul: Consul::from_settings(settings)?.map(Arc::new),
            followed: Mutex::default(),
        })))
    }
}
