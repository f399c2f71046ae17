//! What `#[guard]` and `#[public]` become: the first thing in the arm of a method.

use super::{Identity, Jwt, denied};
use crate::{
    dependency::Has,
    protocol::Fault,
    service::{AccessInfo, FaultKind, Outcome, Rule, ServiceDescriptor, WorkerCall},
};

/// A service that looks at tokens.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `Jwt` to look at tokens with",
    label = "`#[guard]` and `#[public]` say whose token lets them call, and nothing looks at tokens here",
    note = "add a field `jwt: Jwt` to `{Self}` (`use kinoko::auth::Jwt`): from then on nobody may call a method that has neither"
)]
pub trait LooksAtTokens {
    /// What it looks at them with.
    fn jwt(&self) -> &Jwt;
}

#[diagnostic::do_not_recommend]
impl<S: Has<Jwt>> LooksAtTokens for S {
    fn jwt(&self) -> &Jwt {
        self.get()
    }
}

/// The call goes on, if `None`: the caller has a valid token that fits all rules. Else what it is answered.
pub async fn admit(jwt: &Jwt, call: &WorkerCall, rules: &'static [Rule]) -> Option<Outcome> {
    let cx = &call.context;
    match jwt.identify(cx).await {
        Ok(Some(identity)) => allowed(&identity, call, rules),
        Ok(None) => Some(refuse(denied::nobody(cx))),
        Err(refused) => Some(refuse(denied::unauthenticated(cx, &refused))),
    }
}

fn allowed(identity: &Identity, call: &WorkerCall, rules: &'static [Rule]) -> Option<Outcome> {
    let lack = rules.iter().find_map(|rule| identity.lacks(rule))?;
    Some(refuse(denied::forbidden(&call.context, identity.subject(), lack)))
}

/// The call goes on, whoever calls. Its token is looked at only where a parameter asks who that is.
pub async fn open(jwt: &Jwt, call: &WorkerCall, identify: bool) -> Option<Outcome> {
    call.context.ask_tokens();
    if !identify {
        return None;
    }
    super::claims::believed(jwt, &call.context).await.err().map(refuse)
}

/// Nobody may call it: it says neither who may nor that all may.
#[cold]
pub fn closed(_: &Jwt, call: &WorkerCall) -> Outcome {
    refuse(denied::closed(&call.context))
}

fn refuse(fault: Fault) -> Outcome {
    // That nobody can tell who calls is nobody's fault who calls.
    let kind = if fault.internal { FaultKind::Unexpected } else { FaultKind::Rejected };
    Outcome::Fault { fault: Box::new(fault), kind }
}

/// Tells of methods that nobody may call.
pub(crate) fn tell_closed(descriptor: &ServiceDescriptor) {
    let AccessInfo { has_jwt, .. } = descriptor.access;
    if !has_jwt {
        return;
    }
    let of_timers = |index: usize| descriptor.timers.iter().any(|timer| timer.index == index);
    let mut closed: Vec<&str> = descriptor
        .entrypoints()
        .filter(|(index, _)| descriptor.access.is_closed(*index) && !of_timers(*index))
        .map(|(_, name)| name)
        .collect();
    closed.dedup();
    if !closed.is_empty() {
        let methods = closed.join(", ");
        tracing::warn!(
            service = descriptor.name,
            methods,
            "nobody may call these methods: write `#[guard]` or `#[public]` on each"
        );
    }
}
