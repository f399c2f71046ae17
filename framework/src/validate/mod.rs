//! Values that hold to the rules of their type, checked where they are read.
//!
//! The rules are garde's, written beside the fields that they are about. What a caller is told of a broken one is here as well;
//! who tells it, and in which form, is the entrypoint's business.

mod invalid;
mod valid;

#[cfg(feature = "http")]
pub(crate) use self::invalid::reported;
pub use self::{
    invalid::{Invalid, Violation},
    valid::{Valid, Validated},
};
