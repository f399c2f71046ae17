//! Who may call the methods of a service: what its attributes say.

use serde_json::json;

use crate::protocol::Value;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Neither `#[guard]` nor `#[public]` stands there: nobody, where the service looks at tokens; else everybody.
    Unsaid,
    /// Everybody.
    Public,
    /// Whoever has a valid token that fits all of these rules; none: any valid token.
    Guarded(&'static [Rule]),
}

/// What one `#[guard]` asks of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// One of these roles; none: whatever the caller's are.
    pub roles: &'static [&'static str],
    /// All of these scopes.
    pub scopes: &'static [&'static str],
}

/// What a service says of who may call.
#[derive(Debug, Clone, Copy)]
pub struct AccessInfo {
    /// Whether it has a `Jwt`, so that what says nothing is closed.
    pub has_jwt: bool,
    /// What stands on its block, for the methods that say nothing.
    pub block: Access,
    /// The methods that say something, by the index of their entrypoint.
    pub methods: &'static [(usize, Access)],
}

impl AccessInfo {
    /// Of a service that looks at no tokens.
    pub const OPEN: Self = Self { has_jwt: false, block: Access::Unsaid, methods: &[] };

    /// What holds for the entrypoint of this index. Of those that the clock fires it says nothing.
    pub fn of(&self, index: usize) -> Access {
        let own = self.methods.iter().find(|(other, _)| *other == index);
        own.map_or(self.block, |(_, access)| *access)
    }

    /// Whether nobody may call it, since nothing says who may.
    pub fn is_closed(&self, index: usize) -> bool {
        self.has_jwt && self.of(index) == Access::Unsaid
    }

    /// Whether a caller needs a token, for documents.
    pub fn asks(&self, index: usize) -> bool {
        self.is_closed(index) || matches!(self.of(index), Access::Guarded(_))
    }
}

impl AccessInfo {
    /// As `list --json` and documents have it. Of a service that looks at no tokens nothing.
    pub(crate) fn to_json(self, index: usize) -> Option<Value> {
        self.has_jwt.then(|| match self.of(index) {
            Access::Unsaid => json!({ "kind": "closed" }),
            Access::Public => json!({ "kind": "public" }),
            Access::Guarded(rules) => {
                let rules = rules.iter().map(|rule| json!({ "roles": rule.roles, "scopes": rule.scopes }));
                json!({ "kind": "guarded", "rules": rules.collect::<Vec<_>>() })
            }
        })
    }

    /// Adds it to an operation of a document.
    #[cfg(feature = "schema")]
    pub(crate) fn tell(self, index: usize, operation: &mut Value) {
        if let Some(access) = self.to_json(index) {
            operation["x-kinoko-access"] = access;
        }
    }

    /// As `list` has it: `; guarded: role admin or editor, scope orders:write`.
    #[cfg(feature = "cli")]
    pub(crate) fn to_text(self, index: usize) -> String {
        match self.of(index) {
            _ if !self.has_jwt => String::new(),
            Access::Unsaid => "; closed".to_owned(),
            Access::Public => "; public".to_owned(),
            Access::Guarded(rules) => {
                let roles = rules.iter().filter(|rule| !rule.roles.is_empty());
                let roles = roles.map(|rule| format!("role {}", rule.roles.join(" or ")));
                let scopes = rules.iter().flat_map(|rule| rule.scopes).map(|scope| format!("scope {scope}"));
                let asked: Vec<_> = roles.chain(scopes).collect();
                if asked.is_empty() { "; guarded".to_owned() } else { format!("; guarded: {}", asked.join(", ")) }
            }
        }
    }
}
