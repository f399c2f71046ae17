use std::{
    any::Any,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Map;

use crate::{
    context::{Principal, WorkerContext},
    dependency::{FromWorker, Has},
    protocol::{Fault, Value},
    service::Rule,
};

use super::{Jwt, claims};

/// Who calls, as a verified token says. Cheap to clone.
///
/// `#[inject] who: Identity` in a method of a service with a [`Jwt`]; in a `#[public]` one `Option<Identity>`.
///
/// # Examples
///
/// ```
/// use kinoko::{auth::{Identity, Jwt}, prelude::*, testing::TestApp};
/// use serde_json::json;
///
/// #[derive(Dependencies)]
/// struct Orders {
///     jwt: Jwt,
/// }
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     #[guard(role = "clerk")]
///     fn greet(&self, #[inject] who: Identity) -> String {
///         format!("{}, {}", who.subject(), who.has_scope("orders:write"))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = TestApp::new().service::<Orders>().start().await?;
/// let token = app.token(&json!({"sub": "ada", "roles": ["clerk"], "scope": "orders:read orders:write"}))?;
/// assert_eq!(app.hook().auth_token(&token).client::<OrdersClient>().greet().await?, "ada, true");
/// # app.stop().await }
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    facts: Facts,
    /// The subject, as context data.
    user_id: Option<Value>,
    claims: Map<String, Value>,
}

/// What is read of a token once.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) subject: Option<String>,
    pub(super) id: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) expires_at: Option<u64>,
    pub(super) issued_at: Option<u64>,
}

impl Principal for Inner {
    fn user_id(&self) -> Option<&Value> {
        self.user_id.as_ref()
    }
}

impl Identity {
    pub(super) fn new(facts: Facts, claims: Map<String, Value>) -> Self {
        let user_id = facts.subject.clone().map(Value::from);
        Self(Arc::new(Inner { facts, user_id, claims }))
    }

    /// As a worker's context keeps it.
    pub(super) fn principal(&self) -> Arc<dyn Principal> {
        self.0.clone()
    }

    /// From what a worker's context keeps.
    pub(super) fn of_principal(principal: Arc<dyn Principal>) -> Option<Self> {
        (principal as Arc<dyn Any + Send + Sync>).downcast().ok().map(Self)
    }

    pub(super) fn expires_at_secs(&self) -> Option<u64> {
        self.0.facts.expires_at
    }

    /// Who it is: the claim `sub`. Empty where `jwt.required` does without.
    pub fn subject(&self) -> &str {
        self.0.facts.subject.as_deref().unwrap_or_default()
    }

    /// What the token itself is called: the claim `jti`.
    pub fn token_id(&self) -> Option<&str> {
        self.0.facts.id.as_deref()
    }

    /// The roles: the claim `roles`, or the one that `jwt.roles_claim` names.
    pub fn roles(&self) -> &[String] {
        &self.0.facts.roles
    }

    /// The scopes: the claim `scope`, or the one that `jwt.scope_claim` names.
    pub fn scopes(&self) -> &[String] {
        &self.0.facts.scopes
    }

    /// Whether it has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|own| own == role)
    }

    /// Whether it has a scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().iter().any(|own| own == scope)
    }

    /// Until when the token is valid: the claim `exp`.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.facts.expires_at.map(at)
    }

    /// When it was issued: the claim `iat`.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.0.facts.issued_at.map(at)
    }

    /// A claim, by its name.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    /// All claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.0.claims
    }

    /// What it lacks of a rule, for the log.
    pub(super) fn lacks(&self, rule: &Rule) -> Option<Lack> {
        if !rule.roles.is_empty() && !rule.roles.iter().any(|role| self.has_role(role)) {
            return Some(Lack::Role(rule.roles));
        }
        let missing = rule.scopes.iter().any(|scope| !self.has_scope(scope));
        missing.then_some(Lack::Scope(rule.scopes))
    }
}

/// What a caller lacks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lack {
    /// One of these.
    Role(&'static [&'static str]),
    /// All of these.
    Scope(&'static [&'static str]),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(roles) => write!(f, "a role of {}", roles.join(", ")),
            Self::Scope(scopes) => write!(f, "the scope {}", scopes.join(" ")),
        }
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}

impl fmt::Debug for Identity {
    /// Who it is, and none of the claims: they may hold what no log may have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("subject", &self.subject()).finish_non_exhaustive()
    }
}

impl<S: Has<Jwt> + Sync> FromWorker<S> for Identity {
    async fn from_worker(service: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        claims::required(service.get(), cx).await
    }
}

impl<S: Has<Jwt> + Sync> FromWorker<S> for Option<Identity> {
    async fn from_worker(service: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        claims::believed(service.get(), cx).await
    }
}
