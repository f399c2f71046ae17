use kinoko::{
    Valid,
    auth::{Claims, Jwt, Password, TokenPair},
    prelude::*,
    sql::{Database, Tx},
};

use crate::{Credentials, Login, Profile, Registration, Roles, Sessions, Spent, UsersError, store};

/// Knows the users, and lets them in.
#[derive(Debug, Dependencies)]
pub struct UsersService {
    #[dependency(key = "users.database", url = "sqlite:users.db", migrations = store::tables())]
    db: Database,
    jwt: Jwt,
    passwords: Password,
    sessions: Sessions,
}

/// Who buys here.
#[service(name = "users")]
impl UsersService {
    /// Registers a user. The first one is the admin.
    #[http(POST, "/users", status = 201)]
    #[public]
    pub async fn register(
        &self,
        #[inject] mut tx: Tx,
        #[body] new: Valid<Registration>,
    ) -> Result<Profile, UsersError> {
        let hash = self.passwords.hash(&new.password).await?;
        store::add(&mut tx, &new.name, &hash).await?.ok_or_else(|| UsersError::Taken { name: new.name.clone() })
    }

    /// Lets a user in.
    #[http(POST, "/login")]
    #[public]
    pub async fn log_in(&self, #[body] credentials: Valid<Credentials>) -> Result<TokenPair, UsersError> {
        let user = store::find(&*self.db, &credentials.name).await?;
        // Of nobody too, so that the time does not tell whether there is such a user.
        let hash = user.as_ref().map(|user| user.hash.as_str());
        let is_right = self.passwords.verify(&credentials.password, hash).await?;
        match user {
            Some(user) if is_right => self.sessions.begin(&user.profile).await,
            _ => Err(UsersError::WrongPassword),
        }
    }

    /// Gives the next pair of tokens for a refresh token, once.
    #[http(POST, "/refresh")]
    #[public]
    pub async fn refresh(&self, #[body] spent: Spent) -> Result<TokenPair, UsersError> {
        self.sessions.go_on(&spent.refresh_token).await
    }

    /// Ends the log-in that the token comes from: it and all tokens of it.
    #[http(POST, "/logout")]
    #[guard]
    pub async fn log_out(&self, #[inject] login: Claims<Login>) -> Result<(), UsersError> {
        self.sessions.end(&login.sid).await
    }

    /// Who the caller is.
    #[http(GET, "/me")]
    #[rpc]
    #[guard]
    pub async fn me(&self, #[inject] login: Claims<Login>) -> Result<Profile, UsersError> {
        self.profile(&login.sub).await
    }

    /// One user.
    #[http(GET, "/users/{name}")]
    #[guard(role = "admin")]
    pub async fn get(
        &self,
        /// What the user is called.
        name: String,
    ) -> Result<Profile, UsersError> {
        self.profile(&name).await
    }

    /// Gives a user other roles. The user's log-ins end, so that no token says the old ones any more.
    #[http(PUT, "/users/{name}/roles")]
    #[guard(role = "admin")]
    pub async fn set_roles(
        &self,
        #[inject] mut tx: Tx,
        /// What the user is called.
        name: String,
        #[body] wanted: Valid<Roles>,
    ) -> Result<Profile, UsersError> {
        if !store::set_roles(&mut tx, &name, &wanted.roles).await? {
            return Err(UsersError::NotFound { name });
        }
        store::end_all(&mut tx, &name).await?;
        Ok(Profile { name, roles: wanted.into_inner().roles })
    }

    /// The keys that tokens are signed with, for services that have none of them. Empty while it is a secret that all share.
    #[http(GET, "/.well-known/jwks.json")]
    #[public]
    pub fn jwks(&self) -> kinoko::Value {
        self.jwt.jwks()
    }
}

impl UsersService {
    async fn profile(&self, name: &str) -> Result<Profile, UsersError> {
        let user = store::find(&*self.db, name).await?;
        user.map(|user| user.profile).ok_or_else(|| UsersError::NotFound { name: name.to_owned() })
    }
}
