//! Where calls go: an instance, and the connection to it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tonic::transport::Channel;

use super::settings::ClientSettings;
use crate::{
    dependency::Dependency,
    discovery::{Instances, Pick},
    grpc::own::{OwnPlace, OwnServer},
};

/// Connections to instances that are listed no more are kept up to this number.
const KEPT: usize = 32;

/// The connections to the instances of one service.
pub(super) struct Pool {
    source: Source,
    settings: ClientSettings,
    channels: Mutex<HashMap<String, Channel>>,
}

/// Where the instances are known.
pub(super) enum Source {
    Found(Instances),
    /// The program serves it itself.
    Own(OwnServer),
}

/// An instance that a call goes to. It counts as busy until this is dropped.
pub(super) struct Picked {
    pub(super) channel: Channel,
    /// How many there are.
    pub(super) of: usize,
    pick: Option<Pick>,
}

impl Picked {
    /// Nobody was reached there.
    pub(super) fn failed(&self) {
        if let Some(pick) = &self.pick {
            pick.failed();
        }
    }
}

impl Pool {
    pub(super) fn new(source: Source, settings: ClientSettings) -> Self {
        Self { source, settings, channels: Mutex::default() }
    }

    /// # Errors
    ///
    /// Why there is none.
    pub(super) async fn pick(&self) -> Result<Picked, String> {
        match &self.source {
            Source::Found(instances) => {
                let pick = instances.pick().await.map_err(|error| error.chain())?;
                let listed = || instances.list().iter().map(|instance| instance.url()).collect();
                let channel =
                    self.channel(pick.url(), listed, |address| Ok(self.settings.endpoint(address)?.connect_lazy()))?;
                Ok(Picked { channel, of: instances.list().len(), pick: Some(pick) })
            }
            Source::Own(own) => {
                let place = own.place().ok_or("this program, which serves it itself, does not take calls yet")?;
                let channel = self.channel(place.url(), Vec::new, |address| self.own(place, address))?;
                Ok(Picked { channel, of: 1, pick: None })
            }
        }
    }

    /// Why nobody can be called.
    pub(super) fn unready(&self) -> Option<String> {
        match &self.source {
            Source::Found(instances) => instances.unready(),
            Source::Own(_) => None,
        }
    }

    fn own(&self, place: &OwnPlace, address: &str) -> Result<Channel, String> {
        match place {
            OwnPlace::At(..) => Ok(self.settings.endpoint(address)?.connect_lazy()),
            #[cfg(feature = "testing")]
            OwnPlace::InMemory(connect) => Ok(self.settings.in_memory(connect.clone())),
        }
    }

    fn channel(
        &self,
        address: String,
        listed: impl FnOnce() -> Vec<String>,
        connect: impl FnOnce(&str) -> Result<Channel, String>,
    ) -> Result<Channel, String> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(&address) {
            return Ok(channel.clone());
        }
        if channels.len() >= KEPT {
            let listed = listed();
            channels.retain(|address, _| listed.contains(address));
        }
        let channel = connect(&address)?;
        channels.insert(address, channel.clone());
        Ok(channel)
    }
}
