//! `#[guard]`: who may call.

use syn::{Attribute, LitStr};

use super::{Entry, entries, inside, unknown_key};
use crate::diag::Diag;

/// `#[guard]`, `#[guard(role = "admin")]`, `#[guard(role("admin", "owner"), scope = "orders:write")]`
pub(crate) struct GuardArgs {
    /// One of these; none: whatever the caller's are.
    pub(crate) roles: Vec<String>,
    /// All of these.
    pub(crate) scopes: Vec<String>,
}

const KEYS: [&str; 2] = ["role", "scope"];

impl GuardArgs {
    pub(crate) fn parse(attr: &Attribute, diag: &mut Diag) -> Self {
        let mut args = Self { roles: Vec::new(), scopes: Vec::new() };
        for entry in entries(inside(attr, "role = \"admin\"", diag), "role = \"admin\"", diag) {
            match entry.key.to_string().as_str() {
                "role" => args.roles = words(&entry, "admin", diag, role),
                "scope" => args.scopes = words(&entry, "orders:write", diag, scope),
                _ => unknown_key(&entry, "guard", &KEYS, diag),
            }
        }
        args
    }
}

fn words(entry: &Entry, example: &str, diag: &mut Diag, wrong: fn(&str) -> Option<&'static str>) -> Vec<String> {
    let texts = entry.texts(example, diag);
    let mut words: Vec<String> = Vec::new();
    for text in &texts {
        let word = text.value();
        if let Some(why) = wrong(&word) {
            diag.on(text, why);
        } else if words.contains(&word) {
            diag.on(text, format!("`{word}` is given twice: leave one of them out"));
        }
        words.push(word);
    }
    words
}

fn role(word: &str) -> Option<&'static str> {
    (word.is_empty() || word.chars().any(char::is_control))
        .then_some("nobody has this role: write one that a token's claim `roles` names")
}

/// As RFC 6749 has them, 3.3: a token names its scopes with blanks between.
fn scope(word: &str) -> Option<&'static str> {
    if word.contains(' ') {
        return Some(
            "a scope has no blanks, they stand between scopes: write `scope(\"orders:read\", \"orders:write\")`",
        );
    }
    let is_token = word.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'));
    (word.is_empty() || !is_token).then_some("this is no scope: write letters, digits and signs such as `orders:write`")
}

impl Entry {
    /// `key = "text"`, or `key("text", "another")`
    fn texts(&self, example: &str, diag: &mut Diag) -> Vec<LitStr> {
        use syn::{Token, parse::Parser, punctuated::Punctuated, spanned::Spanned};
        let super::Value::List(paren, list) = &self.value else {
            return self.text(example, diag).into_iter().collect();
        };
        match Punctuated::<LitStr, Token![,]>::parse_terminated.parse2(list.clone()) {
            Ok(texts) if !texts.is_empty() => texts.into_iter().collect(),
            Ok(_) => {
                diag.at(paren.span.join(), format!("`{0}` takes at least one: `{0} = \"{example}\"`", self.key));
                Vec::new()
            }
            Err(_) => {
                diag.at(list.span(), format!("`{0}` takes texts: `{0}(\"{example}\", \"…\")`", self.key));
                Vec::new()
            }
        }
    }
}
