//! Why files do not compile.

use std::fmt;

/// Why `.proto` files became no Rust: where, what, and what to do.
///
/// `Debug` is the text too: it is what `main` shows of a build script that returns it.
pub struct Error(String);

impl Error {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What the compiler says, with its place in the file, and what to do where it says only what is wrong.
    pub(crate) fn of_compiler(error: &protox::Error, includes: &[String]) -> Self {
        // Only `Debug` has the line.
        let text = format!("{error:?}");
        if !error.is_file_not_found() {
            return Self(text);
        }
        let looked = includes.join("`, `");
        Self(format!("{text}: looked in `{looked}`; name the folder that it is in by `Protos::include`"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
