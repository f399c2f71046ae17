//! What the HTTP server serves and what goes around it: bodies within limits, compression, CORS. The server itself is
//! [`crate::server`].

mod body;
mod compression;
mod cors;
mod routers;
mod settings;

pub(in crate::http) use self::body::{bounded, check_declared, watched};
pub(crate) use self::{routers::Routers, settings::HttpSettings};
