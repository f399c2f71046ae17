use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Attribute, Ident, LitStr, Type, TypePath, spanned::Spanned};

use super::{
    Entry, entries, inside,
    path::{RoutePath, route_path},
    positional::{Positional, positional},
    unknown_key,
};
use crate::diag::{Diag, known};

/// `#[http(GET, "/orders/{id}", …)]`
pub(crate) struct HttpArgs {
    /// One of [`VERBS`].
    pub(crate) verb: String,
    pub(crate) path: RoutePath,
    /// With where it is written.
    pub(crate) status: Option<(u16, Span)>,
    pub(crate) name: Option<String>,
    pub(crate) tag: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) deprecated: bool,
    pub(crate) hide: bool,
    pub(crate) deny_unknown_query: bool,
    pub(crate) max_body_bytes: Option<usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_workers: Option<usize>,
    pub(crate) sensitive: Vec<Ident>,
}

const VERBS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

const KEYS: [&str; 11] = [
    "status",
    "tag",
    "summary",
    "deprecated",
    "hide",
    "name",
    "deny_unknown_query",
    "max_body_bytes",
    "timeout",
    "max_workers",
    "sensitive",
];

const EXAMPLE: &str = "#[http(GET, \"/orders/{id}\")]";

impl HttpArgs {
    /// Whether a request of this verb has a body.
    pub(crate) fn has_body(&self) -> bool {
        !matches!(&*self.verb, "GET" | "HEAD" | "DELETE" | "OPTIONS")
    }

    /// `None` after an error in what comes first.
    pub(crate) fn parse(attr: &Attribute, diag: &mut Diag) -> Option<Self> {
        let clean = diag.count();
        let tokens = in_capitals(inside(attr, "GET, \"/orders/{id}\"", diag), diag);
        let (values, rest) = positional(tokens);
        let keys = entries(rest, "status = 201", diag);
        let mut args = Self {
            verb: String::new(),
            path: RoutePath::default(),
            status: None,
            name: None,
            tag: None,
            summary: None,
            deprecated: false,
            hide: false,
            deny_unknown_query: false,
            max_body_bytes: None,
            timeout: None,
            max_workers: None,
            sensitive: Vec::new(),
        };
        for entry in keys {
            args.take(&entry, diag);
        }
        // What is missing may be what an error was told of.
        let missing = diag.count() == clean;
        (args.verb, args.path) = verb_and_path(values, attr.path().span(), missing, diag)?;
        (diag.count() == clean).then_some(args)
    }

    fn take(&mut self, entry: &Entry, diag: &mut Diag) {
        let text = |example: &str, diag: &mut Diag| entry.text(example, diag).map(|text| text.value());
        match entry.key.to_string().as_str() {
            "status" => self.status = status(entry, diag).map(|status| (status, entry.value_tokens().span())),
            "tag" => self.tag = text("orders", diag),
            "summary" => self.summary = text("Places an order", diag),
            "deprecated" => self.deprecated = entry.flag(diag),
            "hide" => self.hide = entry.flag(diag),
            "name" => {
                let name = entry.text("place_order", diag);
                self.name = name.and_then(|name| super::names::wire_name(&name, "an operation", diag));
            }
            "deny_unknown_query" => self.deny_unknown_query = entry.flag(diag),
            "max_body_bytes" => self.max_body_bytes = entry.count(diag),
            "timeout" => self.timeout = entry.some_time(diag),
            "max_workers" => self.max_workers = entry.count(diag),
            "sensitive" => self.sensitive = entry.parameters(diag),
            _ => unknown_key(entry, "http", &KEYS, diag),
        }
    }
}

/// The tokens with a method in capitals first, if it is one but for that.
fn in_capitals(tokens: TokenStream, diag: &mut Diag) -> TokenStream {
    let mut tokens = tokens.into_iter().peekable();
    let Some(TokenTree::Ident(word)) = tokens.peek() else { return tokens.collect() };
    let written = word.to_string();
    let Some(verb) = VERBS.into_iter().find(|verb| **verb != written && verb.eq_ignore_ascii_case(&written)) else {
        return tokens.collect();
    };
    diag.on(word, format!("methods are written in capitals: `{verb}`"));
    let verb = TokenTree::from(Ident::new(verb, word.span()));
    [verb].into_iter().chain(tokens.skip(1)).collect()
}

fn verb_and_path(values: Vec<Positional>, span: Span, tell: bool, diag: &mut Diag) -> Option<(String, RoutePath)> {
    let mut values = values.into_iter();
    let verb = match values.next() {
        Some(Positional::Type(ty)) => verb(&ty, diag)?,
        Some(Positional::Text(text)) => {
            let text_of_error = match VERBS.iter().find(|verb| text.value().eq_ignore_ascii_case(verb)) {
                Some(verb) => format!("the method is a word, no text: write `{verb}`"),
                None => format!("the method comes before the path: write `#[http(GET, \"{}\")]`", text.value()),
            };
            diag.on(&text, text_of_error);
            return None;
        }
        None => {
            if tell {
                diag.at(span, format!("which requests? write `{EXAMPLE}`"));
            }
            return None;
        }
    };
    let path = match values.next() {
        Some(Positional::Text(text)) => route_path(&text, diag)?,
        Some(Positional::Type(other)) => {
            diag.on(&other, format!("the path is a text: write `{EXAMPLE}`"));
            return None;
        }
        None => {
            if tell {
                diag.at(span, format!("which path? write `#[http({verb}, \"/orders/{{id}}\")]`"));
            }
            return None;
        }
    };
    for more in values {
        let text = "one method and one path for each attribute: write `#[http(…)]` again for another";
        match more {
            Positional::Text(more) => diag.on(more, text),
            Positional::Type(more) => diag.on(more, text),
        }
    }
    Some((verb, path))
}

fn verb(ty: &Type, diag: &mut Diag) -> Option<String> {
    let word = match ty {
        Type::Path(TypePath { qself: None, path, .. }) => path.get_ident().map(ToString::to_string),
        _ => None,
    };
    match word {
        Some(word) if VERBS.contains(&&*word) => Some(word),
        Some(word) => {
            diag.on(ty, format!("no method `{word}`: {}", known(&word, "they are", &VERBS)));
            None
        }
        None => {
            diag.on(ty, format!("the method comes first: write `{EXAMPLE}`"));
            None
        }
    }
}

/// `status = 201`
fn status(entry: &Entry, diag: &mut Diag) -> Option<u16> {
    let status = entry.count(diag)?;
    match u16::try_from(status) {
        Ok(status @ 200..=399) => Some(status),
        _ => {
            let text = "`status` is that of a success, 200 to 399: errors have theirs by `#[fault(http = …)]`";
            diag.on(entry.value_tokens(), text);
            None
        }
    }
}

/// `#[service(http = "/api/v1")]`
pub(super) fn prefix(text: &LitStr, diag: &mut Diag) -> Option<String> {
    let value = text.value();
    if value.ends_with('/') {
        diag.on(text, "the prefix ends without a slash, since each path begins with one: `\"/api/v1\"`");
        return None;
    }
    let path = route_path(text, diag)?;
    if !path.params.is_empty() {
        diag.on(text, "a prefix is the same for all methods of the service: write the parameter into their paths");
        return None;
    }
    Some(path.text)
}
