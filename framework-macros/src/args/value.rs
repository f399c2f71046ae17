//! The values that several attributes share.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path, Token, parse::Parser, punctuated::Punctuated};

use super::{Entry, Value};
use crate::diag::{Diag, known};

impl Entry {
    /// Where the value is, or the key where there is none.
    pub(super) fn value_tokens(&self) -> TokenStream {
        match &self.value {
            Value::Is(value) => value.to_token_stream(),
            Value::None | Value::List(..) => self.key.to_token_stream(),
        }
    }

    fn literal(&self) -> Option<&Lit> {
        match &self.value {
            Value::Is(Expr::Lit(ExprLit { lit, .. })) => Some(lit),
            _ => None,
        }
    }

    fn wrong(&self, wanted: &str, diag: &mut Diag) {
        diag.on(self.value_tokens(), format!("`{}` takes {wanted}", self.key));
    }

    /// `key = "text"`
    pub(super) fn text(&self, example: &str, diag: &mut Diag) -> Option<LitStr> {
        match self.literal() {
            Some(Lit::Str(text)) => Some(text.clone()),
            _ => {
                self.wrong(&format!("a text: `{} = \"{example}\"`", self.key), diag);
                None
            }
        }
    }

    /// `key = true`
    pub(super) fn boolean(&self, diag: &mut Diag) -> Option<bool> {
        match self.literal() {
            Some(Lit::Bool(value)) => Some(value.value),
            _ => {
                self.wrong(&format!("`true` or `false`: `{} = false`", self.key), diag);
                None
            }
        }
    }

    /// `key`, alone
    pub(super) fn flag(&self, diag: &mut Diag) -> bool {
        if matches!(self.value, Value::None) {
            return true;
        }
        diag.on(self, format!("`{0}` stands alone: write `{0}`", self.key));
        false
    }

    /// `key = 8`, at least 1
    pub(super) fn count(&self, diag: &mut Diag) -> Option<usize> {
        let count = match self.literal() {
            Some(Lit::Int(number)) => number.base10_parse().ok().filter(|count| *count > 0),
            _ => None,
        };
        if count.is_none() {
            self.wrong(&format!("a number of at least 1: `{} = 8`", self.key), diag);
        }
        count
    }

    /// `key = "2s"`
    pub(super) fn duration(&self, diag: &mut Diag) -> Option<Duration> {
        let text = self.text("5s", diag)?;
        match kinoko_text::parse_duration(&text.value()) {
            Ok(duration) => Some(duration),
            Err(why) => {
                diag.on(&text, why);
                None
            }
        }
    }

    /// A duration of more than nothing.
    pub(super) fn some_time(&self, diag: &mut Diag) -> Option<Duration> {
        let duration = self.duration(diag)?;
        if duration.is_zero() {
            diag.on(self.value_tokens(), format!("`{}` takes a time longer than nothing", self.key));
            return None;
        }
        Some(duration)
    }

    /// A text that is one of these words, by their place.
    pub(super) fn word(&self, words: &[&str], diag: &mut Diag) -> Option<usize> {
        let text = self.text(words.first().copied().unwrap_or_default(), diag)?;
        let value = text.value();
        let place = words.iter().position(|word| *word == value);
        if place.is_none() {
            let known = known(&value, &format!("`{}` takes", self.key), words);
            diag.on(&text, format!("unknown value `{value}`: {known}"));
        }
        place
    }

    /// `key = some::path`
    pub(super) fn path(&self, diag: &mut Diag) -> Option<Path> {
        if let Value::Is(Expr::Path(path)) = &self.value
            && path.qself.is_none()
        {
            return Some(path.path.clone());
        }
        self.wrong(&format!("a path: `{} = some::path`", self.key), diag);
        None
    }

    /// `key(some::path, another)`
    pub(super) fn paths(&self, example: &str, diag: &mut Diag) -> Vec<Path> {
        let Value::List(_, list) = &self.value else {
            self.wrong(&format!("a list: `{}({example})`", self.key), diag);
            return Vec::new();
        };
        match Punctuated::<Path, Token![,]>::parse_terminated.parse2(list.clone()) {
            Ok(paths) => paths.into_iter().collect(),
            Err(error) => {
                let span = if list.is_empty() { self.key.span() } else { error.span() };
                diag.at(span, format!("`{}` takes a list: `{0}({example})`", self.key));
                Vec::new()
            }
        }
    }

    /// `key(a, b)`: names of parameters
    pub(super) fn parameters(&self, diag: &mut Diag) -> Vec<Ident> {
        let mut names = Vec::new();
        for path in self.paths("password", diag) {
            match path.get_ident() {
                Some(name) => names.push(name.clone()),
                None => diag.on(path, format!("`{0}` takes names of parameters: `{0}(password)`", self.key)),
            }
        }
        names
    }

    /// `crate = ::some::path`
    pub(super) fn krate(&self, diag: &mut Diag) -> Option<Path> {
        if let Value::Is(Expr::Path(path)) = &self.value
            && path.qself.is_none()
        {
            return Some(path.path.clone());
        }
        let text = "`crate` takes the path that kinoko is reached by: `crate = ::some::path`";
        diag.on(self.value_tokens(), text);
        None
    }
}
