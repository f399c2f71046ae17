//! kinoko

mod error;
pub mod protocol;
pub mod transport;

pub use error::{Error, ErrorKind, Result};
