//! Why a value does not fit its parameter, as data: an error of serde that keeps what it is about.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use crate::protocol::excerpt;

/// What a deserializer of texts refuses with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Nothing was there to read: whether that matters, the parameter says.
    pub(super) absent: bool,
    /// The field that it is about, where the parameter takes several.
    pub(super) field: Option<String>,
    /// The keyword of JSON schema that says the same.
    pub(super) rule: &'static str,
    /// For people, without the value.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self { absent: false, field: None, rule, message: message.into() }
    }

    pub(super) fn of_type(message: impl Into<String>) -> Self {
        Self::new("type", message)
    }

    pub(super) fn absent() -> Self {
        Self { absent: true, ..Self::new("required", "is required") }
    }

    /// The same, of a field; the innermost one is the one that is told.
    pub(super) fn at(mut self, field: &str) -> Self {
        self.field.get_or_insert_with(|| field.to_owned());
        self
    }
}

/// What to write instead of a name that nobody knows.
pub(super) fn unknown<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match kinoko_text::nearest(&excerpt(name), known) {
        Some(known) => format!("is unknown: did you mean `{known}`?"),
        None => "is unknown".to_owned(),
    }
}

/// The values that are allowed, for people.
pub(super) fn one_of(allowed: &[impl Display]) -> String {
    match allowed {
        [] => "has no value that is allowed".to_owned(),
        [only] => format!("must be {only}"),
        _ => {
            let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
            excerpt(format_args!("must be one of {}", allowed.join(", ")))
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: Display>(text: T) -> Self {
        Self::of_type(excerpt(text))
    }

    // The two below leave out what was found: it may be a secret, and is told beside the message where it is none.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of_type(format!("must be {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of_type(format!("must be {expected}"))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::of_type(format!("must be {expected}, not {length} of them"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new("enum", one_of(expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new("additionalProperties", unknown(field, expected.iter().copied())).at(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("required", "is required").at(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::of_type("is given twice").at(field)
    }
}
