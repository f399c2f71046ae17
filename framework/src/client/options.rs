use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    time::Duration,
};

use super::{
    MethodOf,
    fallback::{Fallback, InsteadOf},
};
use crate::resilience::PolicySettings;

/// The options of a client field, which are those of the [`Policy`](crate::resilience::Policy) around its calls:
/// `#[dependency(timeout = "2s", retry = 3, breaker, bulkhead = 20)]`. Single methods may have others:
/// `methods(price(timeout = "200ms", last_good = "5m"))`.
///
/// `timeout` is how long a call may take in all, where neither the call nor the method says; default: the setting `rpc_timeout`.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// What goes around each call.
    pub policy: PolicySettings,
    /// What goes around those of single methods, by the name in the code. Each has a policy of its own, which counts apart.
    pub methods: BTreeMap<&'static str, MethodOptions>,
}

/// The options of one method of a client, which are those of the policy around its calls, and what answers where its service is not well.
#[derive(Debug, Clone, Default)]
pub struct MethodOptions {
    /// What goes around each call.
    pub policy: PolicySettings,
    /// Where a call fails, or the policy refuses it, the last good answer to the same call stands in its place, if it came within this time.
    /// The same call: with the same arguments, context data and headers, so on behalf of the same caller. Up to 1000 answers of at most 64 KiB
    /// are kept, in this process. Default: none.
    pub last_good: Option<Duration>,
    pub(super) fallback: Option<Fallback>,
}

impl ClientOptions {
    /// The options of one method, to change: they begin with what the client has.
    pub fn method(&mut self, name: &'static str) -> &mut MethodOptions {
        let policy = &self.policy;
        self.methods.entry(name).or_insert_with(|| MethodOptions { policy: policy.clone(), ..MethodOptions::default() })
    }
}

impl MethodOptions {
    /// A function to answer where a call fails or the policy refuses it, and there is no last good answer:
    /// `fallback = instead` in the attribute. What is an answer, such as an order that the service does not know, it does not get.
    pub fn fallback<T: 'static, E: 'static>(&mut self, method: MethodOf<T, E>, function: impl InsteadOf<T, E>) {
        self.fallback = Some(Fallback::new(method, function));
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

impl Deref for MethodOptions {
    type Target = PolicySettings;

    fn deref(&self) -> &PolicySettings {
        &self.policy
    }
}

impl DerefMut for MethodOptions {
    fn deref_mut(&mut self) -> &mut PolicySettings {
        &mut self.policy
    }
}

/// For the derive: what has options for single methods.
#[diagnostic::on_unimplemented(
    message = "only a typed client has options for single `methods`",
    label = "not a typed client's options",
    note = "write `methods(…)` at a field such as `orders: OrdersClient`, or leave it out"
)]
pub trait HasMethods {
    /// Those of one method.
    fn method(&mut self, name: &'static str) -> &mut MethodOptions;
}

impl HasMethods for ClientOptions {
    fn method(&mut self, name: &'static str) -> &mut MethodOptions {
        Self::method(self, name)
    }
}

/// For the derive: the options of one method.
pub fn method_options<'a, O: HasMethods>(options: &'a mut O, name: &'static str) -> &'a mut MethodOptions {
    options.method(name)
}

/// The options of a [`ServiceProxy`](crate::ServiceProxy) field. It calls any service, so it has no policy: a typed client has.
#[derive(Debug, Clone, Default)]
pub struct ProxyOptions {
    /// How long its calls wait for a reply, where the call does not say. Default: the setting `rpc_timeout`.
    pub timeout: Option<Duration>,
}
