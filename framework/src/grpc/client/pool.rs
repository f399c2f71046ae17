//! Where calls go: an instance, and the connection to it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tonic::transport::Channel;

use super::settings::ClientSettings;

/// The connections to the instances of one service.
pub(super) struct Pool {
    addresses: Vec<String>,
    next: AtomicUsize,
    settings: ClientSettings,
    channels: Mutex<HashMap<String, Channel>>,
}

/// An instance that a call goes to.
pub(super) struct Picked {
    pub(super) channel: Channel,
    /// How many there are.
    pub(super) of: usize,
}

impl Picked {
    /// Nobody was reached there.
    pub(super) fn failed(&self) {}
}

impl Pool {
    pub(super) fn new(addresses: Vec<String>, settings: ClientSettings) -> Self {
        Self { addresses, next: AtomicUsize::new(0), settings, channels: Mutex::default() }
    }

    pub(super) async fn pick(&self) -> Result<Picked, String> {
        let of = self.addresses.len();
        if of == 0 {
            return Err("no address".to_owned());
        }
        let address = &self.addresses[self.next.fetch_add(1, Ordering::Relaxed) % of];
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(address) {
            Some(channel) => channel.clone(),
            None => {
                let channel = self.settings.endpoint(address)?.connect_lazy();
                channels.insert(address.clone(), channel.clone());
                channel
            }
        };
        Ok(Picked { channel, of })
    }
}
