//! What callers send and get, and what stands in their tokens.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Somebody who wants to be a user.
#[derive(Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// What the user is called: small letters, digits and dashes.
    #[garde(pattern("^[a-z][a-z0-9-]{1,31}$"))]
    pub name: String,
    /// At least ten characters.
    #[garde(length(chars, min = 10, max = 200))]
    pub password: String,
}

/// Somebody who wants to be let in.
#[derive(Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// What the user is called.
    #[garde(length(max = 200))]
    pub name: String,
    /// The password.
    #[garde(length(max = 1000))]
    pub password: String,
}

/// A refresh token, to be used up.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// As it was given with the access token.
    pub refresh_token: String,
}

/// A user, as others may see one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// What the user is called.
    pub name: String,
    /// What the user may.
    pub roles: Vec<String>,
}

/// What a user may.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// All of them: what is not named is taken away.
    #[garde(length(max = 16), inner(pattern("^[a-z]{1,32}$")))]
    pub roles: Vec<String>,
}

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// Who.
    pub sub: String,
    /// What the user may.
    pub roles: Vec<String>,
    /// The log-in that it comes from.
    pub sid: String,
}

macro_rules! without_secrets {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            /// No password and no token: it could reach a log.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}

without_secrets! { Registration Credentials Spent }
