//! The values that several attributes share.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, LitStr, Path, Token, parse::Parser, punctuated::Punctuated};

use super::{Entry, Value};
use crate::diag::Diag;

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
    pub(super) fn duration(&self, diag: &mut Diag) -> Option<std::time::Duration> {
        let text = self.text("5s", diag)?;
        match kinoko_text::parse_duration(&text.value()) {
            Ok(duration) => Some(duration),
            Err(why) => {
                diag.on(&text, why);
                None
            }
        }
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

/// A name on the wire: 1 to 200 of `A-Z a-z 0-9 _ -`. A dot separates service and method in routing keys, so no name has one.
pub(super) fn wire_name(text: &LitStr, whose: &str, diag: &mut Diag) -> Option<String> {
    let name = text.value();
    let bad = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
    let why = match bad {
        _ if name.is_empty() => "is empty".to_owned(),
        _ if name.len() > 200 => "is longer than 200 characters".to_owned(),
        Some('.') => {
            "has a dot: no request would be routed to it, since the dot separates service and method".to_owned()
        }
        Some(c) => format!("has a {}", if c == ' ' { "space".to_owned() } else { format!("`{c}`") }),
        None => return Some(name),
    };
    diag.on(text, format!("the name of {whose} {why}; write letters, digits, `_` and `-`"));
    None
}

/// The longest name of a queue that leaves room for `kinoko.dead-` before it within AMQP's 255 bytes.
pub(crate) const LONGEST_QUEUE_NAME: usize = 255 - "kinoko.dead-".len();

/// The name of an event, or of who sends it. Dots are fine, as other programs write them.
pub(super) fn event_name(text: &LitStr, whose: &str, diag: &mut Diag) -> bool {
    let name = text.value();
    let why = match name.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '*' | '#')) {
        _ if name.is_empty() => "is empty; write letters, digits, `_`, `-` and dots".to_owned(),
        _ if name.len() > 200 => "is longer than 200 characters".to_owned(),
        Some(c @ ('*' | '#')) => {
            format!("has a `{c}`, which only stands for names: `#[event_handler(\"orders\", \"order.*\")]`")
        }
        Some(' ') => "has a space; write letters, digits, `_`, `-` and dots".to_owned(),
        Some(c) => format!("has a `{c}`; write letters, digits, `_`, `-` and dots"),
        None => return true,
    };
    diag.on(text, format!("the name of {whose} {why}"));
    false
}

/// The name of an event, or a pattern of names: `order.*`, `#`.
pub(super) fn event_pattern(text: &LitStr, diag: &mut Diag) -> bool {
    let name = text.value();
    let broken = name.split('.').find(|word| word.len() > 1 && word.contains(['*', '#']));
    if let Some(word) = broken {
        let text_of_error = format!(
            "`{word}` matches nothing but itself: a wildcard stands for whole words between dots, `*` for one and `#` for any \
             number, as in `order.*`"
        );
        diag.on(text, text_of_error);
        return false;
    }
    let plain: String = name.chars().map(|c| if matches!(c, '*' | '#') { 'x' } else { c }).collect();
    event_name(&LitStr::new(&plain, text.span()), "an event", diag)
}

/// The name of a queue that something else may own.
pub(super) fn queue_name(text: &LitStr, diag: &mut Diag) -> bool {
    let name = text.value();
    let why = if name.is_empty() {
        "a queue has a name: write it".to_owned()
    } else if name.starts_with("amq.") {
        "names that begin with `amq.` are the broker's own: write another".to_owned()
    } else if name.len() > LONGEST_QUEUE_NAME {
        format!(
            "a queue's name has at most {LONGEST_QUEUE_NAME} bytes here, so that its dead letters' queue can be named after it"
        )
    } else if name.contains(char::is_control) {
        "a queue's name has no control characters: write letters, digits, `_`, `-` and dots".to_owned()
    } else {
        return true;
    };
    diag.on(text, why);
    false
}
