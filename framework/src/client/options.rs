use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    time::Duration,
};

use crate::resilience::PolicySettings;

/// The options of a client field, which are those of the [`Policy`](crate::resilience::Policy) around its calls:
/// `#[dependency(timeout = "2s", retry = 3, breaker, bulkhead = 20)]`.
///
/// `timeout` is how long a call may take in all, where neither the call nor the method says; default: the setting `rpc_timeout`.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// What goes around each call.
    pub policy: PolicySettings,
    /// What goes around those of single methods, by the name in the code. Each has a policy of its own, which counts apart.
    pub methods: BTreeMap<&'static str, PolicySettings>,
}

impl ClientOptions {
    /// The policy of one method, to change: it begins with what the client has.
    pub fn method(&mut self, name: &'static str) -> &mut PolicySettings {
        self.methods.entry(name).or_insert_with(|| self.policy.clone())
    }
}

impl Deref for ClientOptions {
    type Target = PolicySettings;

    fn deref(&self) -> &PolicySettings {
        &self.policy
    }
}

impl DerefMut for ClientOptions {
    fn deref_mut(&mut self) -> &mut PolicySettings {
        &mut self.policy
    }
}

/// The options of a [`ServiceProxy`](crate::ServiceProxy) field. It calls any service, so it has no policy: a typed client has.
#[derive(Debug, Clone, Default)]
pub struct ProxyOptions {
    /// How long its calls wait for a reply, where the call does not say. Default: the setting `rpc_timeout`.
    pub timeout: Option<Duration>,
}
