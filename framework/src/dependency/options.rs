//! How a literal in `#[dependency(key = literal)]` becomes an option's type.

use std::time::Duration;

use kinoko_text::parse_duration;

use crate::{Error, ErrorKind, Result};

/// A value that can be written for an option of type `T`.
#[diagnostic::on_unimplemented(
    message = "an option of type `{T}` cannot be set to a `{Self}`",
    note = "durations are written as strings: \"2s\", \"150ms\", \"1m 30s\""
)]
pub trait OptionValue<T> {
    /// Converts it.
    ///
    /// # Errors
    ///
    /// A text that is none of the type's.
    fn convert(self) -> Result<T, String>;
}

impl<T> OptionValue<T> for T {
    fn convert(self) -> Result<T, String> {
        Ok(self)
    }
}

impl<T> OptionValue<Option<T>> for T {
    fn convert(self) -> Result<Option<T>, String> {
        Ok(Some(self))
    }
}

impl OptionValue<String> for &str {
    fn convert(self) -> Result<String, String> {
        Ok(self.to_owned())
    }
}

impl OptionValue<Option<String>> for &str {
    fn convert(self) -> Result<Option<String>, String> {
        Ok(Some(self.to_owned()))
    }
}

impl<const N: usize> OptionValue<Vec<String>> for [&str; N] {
    fn convert(self) -> Result<Vec<String>, String> {
        Ok(self.map(str::to_owned).into())
    }
}

impl<const N: usize> OptionValue<Vec<f64>> for [f64; N] {
    fn convert(self) -> Result<Vec<f64>, String> {
        Ok(self.into())
    }
}

impl OptionValue<Duration> for &str {
    fn convert(self) -> Result<Duration, String> {
        parse_duration(self)
    }
}

impl OptionValue<Option<Duration>> for &str {
    fn convert(self) -> Result<Option<Duration>, String> {
        parse_duration(self).map(Some)
    }
}

/// For the derive: converts the value of one key.
///
/// # Errors
///
/// [`ErrorKind::Config`], naming the key.
pub fn option_value<V: OptionValue<T>, T>(key: &'static str, value: V) -> Result<T> {
    value.convert().map_err(|text| Error::new(ErrorKind::Config, format!("option `{key}`: {text}")))
}
