use kinoko::prelude::*;

/// Why the service says no.
#[derive(Debug, thiserror::Error, ServiceError)]
pub enum UsersError {
    /// Somebody has this name already.
    #[error("somebody is called {name} already")]
    #[fault(http = 409, retry = false)]
    Taken {
        /// The name.
        name: String,
    },
    /// Name and password do not go together. Which of the two is wrong is not said.
    #[error("name and password do not go together")]
    #[fault(http = 401, retry = false)]
    WrongPassword,
    /// The refresh token is over, was used before, or is none. Log in again.
    #[error("log in again")]
    #[fault(http = 401, retry = false)]
    LogInAgain,
    /// Nobody has this name.
    #[error("nobody is called {name}")]
    #[fault(http = 404, retry = false)]
    NotFound {
        /// The name.
        name: String,
    },
    /// The service failed: the log has more.
    #[error("{0}")]
    #[fault(internal)]
    Internal(kinoko::Error),
}

/// For `?`: what nobody foresaw.
impl From<kinoko::Error> for UsersError {
    fn from(error: kinoko::Error) -> Self {
        Self::Internal(error)
    }
}
