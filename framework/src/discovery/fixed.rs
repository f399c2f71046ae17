use async_trait::async_trait;

use super::{Discovery, Found, Instance, Target};
use crate::Result;

/// Addresses that somebody listed.
#[derive(Debug)]
pub(super) struct Fixed(Vec<Instance>);

impl Fixed {
    pub(super) fn of<A: AsRef<str>>(addresses: impl IntoIterator<Item = A>) -> Result<Self> {
        addresses.into_iter().map(|address| Instance::parse(address.as_ref().trim())).collect::<Result<_>>().map(Self)
    }
}

#[async_trait]
impl Discovery for Fixed {
    async fn follow(&self, _: &Target, found: Found) {
        found.set(self.0.iter().cloned());
    }
}
