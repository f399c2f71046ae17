//! The error sink: every mistake of one macro call is collected before any is told.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Collects errors. What was wrong comes first in each text, then what to write instead.
#[derive(Default)]
pub(crate) struct Diag {
    errors: Vec<syn::Error>,
}

impl Diag {
    /// An error at one place.
    pub(crate) fn at(&mut self, span: Span, text: impl Display) {
        self.errors.push(syn::Error::new(span, text));
    }

    /// An error over all of these tokens.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, text: impl Display) {
        self.errors.push(syn::Error::new_spanned(tokens, text));
    }

    /// An error of syn's.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// How many errors there are so far: whoever compares two counts knows whether a step was clean.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// What a step gives, if it was clean.
    pub(crate) fn clean<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let before = self.count();
        let given = step(self);
        (self.count() == before).then_some(given)
    }

    /// The errors as `compile_error!` calls.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.errors.iter().map(syn::Error::to_compile_error).collect()
    }

    #[cfg(test)]
    pub(crate) fn texts(&self) -> Vec<String> {
        self.errors.iter().map(ToString::to_string).collect()
    }
}

/// ``the keys are `a`, `b` `` with the likely slip first, for errors about an unknown word.
pub(crate) fn known(word: &str, what: &str, known: &[&str]) -> String {
    let list = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    match kinoko_text::nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {what}: {list}"),
        None => format!("{what}: {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_named_and_all_known_words_are_listed() {
        assert_eq!(
            known("naem", "the keys are", &["name", "wire"]),
            "did you mean `name`? the keys are: `name`, `wire`"
        );
        assert_eq!(known("colour", "the keys are", &["name", "wire"]), "the keys are: `name`, `wire`");
    }
}
