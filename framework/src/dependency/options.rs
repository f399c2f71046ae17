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

/// An option that consists of parts, written as `key(…)`: an `Option` of what has a default.
///
/// # Examples
///
/// ```
/// use kinoko::{dependency::OptionPart, prelude::*};
///
/// #[derive(Default)]
/// struct PoolOptions {
///     keep: Option<Keep>,
/// }
///
/// #[derive(Default)]
/// struct Keep {
///     least: usize,
///     most: usize,
/// }
///
/// // What `#[dependency(keep(most = 8))]` comes to:
/// let mut options = PoolOptions::default();
/// options.keep.part().most = 8;
/// assert!(options.keep.is_some_and(|keep| keep.least == 0 && keep.most == 8));
/// ```
#[diagnostic::on_unimplemented(
    message = "an option of type `{Self}` has no parts",
    label = "written with parentheses",
    note = "write its value: `key = …`"
)]
pub trait OptionPart {
    /// What the parts belong to.
    type Part;

    /// The present one, or one with its defaults.
    fn part(&mut self) -> &mut Self::Part;
}

impl<T: Default> OptionPart for Option<T> {
    type Part = T;

    fn part(&mut self) -> &mut T {
        self.get_or_insert_with(T::default)
    }
}

/// For the derive: what the keys in the parentheses of `key(…)` belong to.
pub fn option_part<P: OptionPart>(option: &mut P) -> &mut P::Part {
    option.part()
}
