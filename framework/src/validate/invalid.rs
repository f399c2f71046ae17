//! Which rules a value breaks, and how that gets past serde, whose errors carry text alone.

use std::fmt;
#[cfg(feature = "http")]
use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, from the value that was checked: `lines[2].sku`. Empty: the value itself.
    pub field: String,
    /// What is wrong with it, in the rule's words: `length is lower than 3`.
    pub message: String,
}

/// A value does not hold to the rules of its type. Displays each broken one: `sku: length is lower than 3; quantity: lower than 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    violations: Vec<Violation>,
}

impl Invalid {
    /// The broken rules, in the order of the fields; one at least.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl From<garde::Report> for Invalid {
    fn from(report: garde::Report) -> Self {
        let violation = |(path, error): &(garde::Path, garde::Error)| Violation {
            field: path.to_string(),
            message: error.message().to_owned(),
        };
        Self { violations: report.iter().map(violation).collect() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Violation { field, message }) in self.violations.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            if !field.is_empty() {
                write!(f, "{field}: ")?;
            }
            f.write_str(message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

#[cfg(feature = "http")]
thread_local! {
    /// Where somebody decodes who wants the report: the outer `Some`. What the last refused value broke: the inner one.
    static REPORT: RefCell<Option<Option<Invalid>>> = const { RefCell::new(None) };
}

/// Decodes, and tells which rules were broken if that is why it failed.
#[cfg(feature = "http")]
pub(crate) fn reported<T>(decode: impl FnOnce() -> T) -> (T, Option<Invalid>) {
    let outer = REPORT.replace(Some(None));
    // A `Deserialize` that panics must not leave the thread as one that listens.
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    let report = REPORT.replace(outer).flatten();
    (decoded.unwrap_or_else(|panic| resume_unwind(panic)), report)
}

/// Keeps the report for whoever listens.
pub(super) fn report(invalid: &Invalid) {
    #[cfg(feature = "http")]
    REPORT.with_borrow_mut(|report| {
        if let Some(report) = report {
            *report = Some(invalid.clone());
        }
    });
    #[cfg(not(feature = "http"))]
    let _ = invalid;
}
