//! The shop's users: registration, log-in, refresh, roles, over HTTP, in a database.

mod error;
mod model;
mod service;
mod session;
mod store;

pub use error::UsersError;
pub use model::{Credentials, Login, Profile, Registration, Roles, Spent};
pub use service::{UsersService, UsersServiceClient};
pub use session::Sessions;
