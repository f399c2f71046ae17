use proc_macro2::{Span, TokenStream};
use syn::{Expr, ExprField, ExprPath, Ident, LitStr, Path, Token, parse::ParseStream, parse::Parser};

use super::{OptionArg, default_crate, entries, names::wire_name, option::PARTS, unknown_key};
use crate::diag::Diag;

/// `#[policy(…)]` on a method or a function
pub(crate) struct PolicyArgs {
    /// `None` after an error.
    pub(crate) by: Option<By>,
    pub(crate) classify: Option<Path>,
    pub(crate) fallback: Option<Path>,
    pub(crate) krate: Path,
}

/// Whose policy it is.
pub(crate) enum By {
    /// `self.gateway`
    Field(Expr),
    /// `gateway`, of `self`
    Named(Ident),
    /// The method's own.
    Own { name: Option<LitStr>, options: Vec<OptionArg> },
}

const OPTIONS: [&str; 6] = ["timeout", "attempt_timeout", "retry", "breaker", "bulkhead", "rate_limit"];
const KEYS: [&str; 10] = [
    "name",
    "timeout",
    "attempt_timeout",
    "retry",
    "breaker",
    "bulkhead",
    "rate_limit",
    "classify",
    "fallback",
    "crate",
];
const EXAMPLE: &str = "timeout = \"2s\"";

impl PolicyArgs {
    pub(crate) fn parse(tokens: TokenStream, diag: &mut Diag) -> Self {
        let mut args = Self { by: None, classify: None, fallback: None, krate: default_crate() };
        let clean = diag.count();
        let (field, rest) = split_field(tokens);
        let (mut name, mut options) = (None, Vec::new());
        for entry in entries(rest, EXAMPLE, diag) {
            let key = entry.key.to_string();
            match key.as_str() {
                "classify" => args.classify = entry.path(diag),
                "fallback" => args.fallback = entry.path(diag),
                "crate" => args.krate = entry.krate(diag).unwrap_or_else(|| args.krate.clone()),
                known if field.is_some() && KEYS.contains(&known) => {
                    let text = format!("the policy is the field's: write `{key}` in the field's `#[dependency(…)]`");
                    diag.on(&entry.key, text);
                }
                "name" => {
                    name = entry.text("gateway", diag).filter(|text| wire_name(text, "a policy", diag).is_some());
                }
                known if OPTIONS.contains(&known) => options.extend(OptionArg::read(entry, diag)),
                _ => unknown_key(&entry, "policy", &KEYS, diag),
            }
        }
        let wrong = diag.count() > clean;
        args.by = match field {
            Some(by) => Some(by),
            None if options.is_empty() => {
                if !wrong {
                    let text = "a policy of no parts does nothing: name a field, `#[policy(self.gateway)]`, or say what it consists of, \
                                `#[policy(timeout = \"2s\", retry = 3, breaker, bulkhead = 20)]`";
                    diag.at(Span::call_site(), text);
                }
                None
            }
            None => Some(By::Own { name, options }),
        };
        args
    }
}

/// A field that stands first, and what comes after it.
fn split_field(tokens: TokenStream) -> (Option<By>, TokenStream) {
    let parser = |input: ParseStream<'_>| {
        let ahead = input.fork();
        let by = ahead.parse::<Expr>().ok().filter(|_| ahead.is_empty() || ahead.peek(Token![,])).and_then(field);
        if by.is_some() {
            input.parse::<Expr>()?;
            input.parse::<Option<Token![,]>>()?;
        }
        Ok((by, input.parse::<TokenStream>()?))
    };
    parser.parse2(tokens.clone()).unwrap_or((None, tokens))
}

fn field(expr: Expr) -> Option<By> {
    match &expr {
        Expr::Field(ExprField { .. }) => Some(By::Field(expr)),
        Expr::Path(ExprPath { qself: None, path, .. }) => {
            let ident = path.get_ident()?;
            // Alone they are parts with their defaults.
            let is_part = PARTS.iter().any(|part| ident == part) || KEYS.iter().any(|key| ident == key);
            (!is_part && ident != "self").then(|| By::Named(ident.clone()))
        }
        _ => None,
    }
}
