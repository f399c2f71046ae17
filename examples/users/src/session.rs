//! Log-ins: each is a family of refresh tokens, of which the newest one counts.

use kinoko::{
    Value, async_trait,
    auth::{Identity, Jwt, Revocation, TokenPair},
    prelude::*,
    sql::Database,
};

use crate::{Login, Profile, UsersError, store};

/// Begins log-ins, goes on with them, and says which are over. A dependency, and the service's [`Revocation`].
#[derive(Debug, Clone)]
pub struct Sessions {
    db: Database,
    jwt: Jwt,
}

impl Dependency for Sessions {
    type Options = ();

    async fn setup(cx: &SetupContext, (): ()) -> kinoko::Result<Self> {
        let sessions = Self { db: cx.require::<Database>().await?, jwt: cx.require::<Jwt>().await? };
        sessions.jwt.revoked_by(sessions.clone())?;
        Ok(sessions)
    }
}

#[async_trait]
impl Revocation for Sessions {
    /// Asks the database each time: a service with more calls than this one keeps what it heard for some seconds.
    async fn is_revoked(&self, token: &Identity) -> kinoko::Result<bool> {
        match token.claim("sid").and_then(Value::as_str) {
            Some(session) => Ok(!store::is_open(&*self.db, session).await?),
            // Of somebody who has our key and no log-in: another service of the shop.
            None => Ok(false),
        }
    }
}

impl Sessions {
    /// Somebody has logged in.
    pub(crate) async fn begin(&self, profile: &Profile) -> Result<TokenPair, UsersError> {
        let session = uuid::Uuid::new_v4().to_string();
        let pair = self.pair(profile, &session)?;
        store::begin(&*self.db, &session, &profile.name, &pair.refresh.id).await?;
        Ok(pair)
    }

    /// The next pair of a log-in, for its newest refresh token. An older one has been stolen, by whoever sends it now or by whoever used it
    /// first: then the log-in is over for both.
    pub(crate) async fn go_on(&self, spent: &str) -> Result<TokenPair, UsersError> {
        let spent = match self.jwt.refresh(spent).await {
            Ok(spent) => spent,
            Err(kinoko::auth::Unverified::Unavailable(error)) => return Err(error.into()),
            Err(_) => return Err(UsersError::LogInAgain),
        };
        // The roles are those of now.
        let user = store::find(&*self.db, &spent.subject).await?.ok_or(UsersError::LogInAgain)?;
        let pair = self.pair(&user.profile, &spent.family)?;
        if store::rotate(&*self.db, &spent.family, &spent.id, &pair.refresh.id).await? {
            return Ok(pair);
        }
        kinoko::tracing::warn!(
            user = spent.subject,
            session = spent.family,
            "a refresh token came again: the log-in ends"
        );
        store::end(&*self.db, &spent.family).await?;
        Err(UsersError::LogInAgain)
    }

    /// Somebody has logged out.
    pub(crate) async fn end(&self, session: &str) -> Result<(), UsersError> {
        Ok(store::end(&*self.db, session).await?)
    }

    fn pair(&self, profile: &Profile, session: &str) -> kinoko::Result<TokenPair> {
        let login = Login { sub: profile.name.clone(), roles: profile.roles.clone(), sid: session.to_owned() };
        self.jwt.issue(&login).family(session).pair()
    }
}
