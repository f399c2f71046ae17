//! Temporary.
mod mode;
mod token;
pub(crate) use self::{mode::Mode, token::Token};
