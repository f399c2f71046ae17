//! What stands in the parentheses of each attribute: one struct per attribute, and the parsers of values that they share.

mod consume;
mod contract;
mod cron;
mod dependency;
mod event;
mod event_handler;
mod fault;
mod grpc;
mod guard;
mod handling;
mod http;
mod idempotent;
mod main;
mod names;
mod option;
mod option_values;
mod path;
mod policy;
mod positional;
mod rpc;
mod saga;
mod service;
mod step;
mod timer;
mod value;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Expr, Ident, LitStr, Path, Token, Type,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    token::Paren,
};

pub(crate) use self::{
    consume::{ConsumeArgs, ExchangeKind},
    contract::ContractArgs,
    dependency::{DependencyArgs, MethodArg},
    event::EventArgs,
    event_handler::{EventArg, EventHandlerArgs, Kind},
    fault::FaultArgs,
    grpc::GrpcArgs,
    guard::GuardArgs,
    handling::{HandlingArgs, RetryArgs},
    http::HttpArgs,
    idempotent::{IdempotentArgs, IdempotentStore},
    main::MainArgs,
    option::{OptionArg, OptionValue},
    policy::{By, PolicyArgs},
    rpc::{Expected, RpcArgs},
    saga::SagaArgs,
    service::ServiceArgs,
    step::{Compensate, StepArgs},
    timer::{ScheduleArg, TimerArgs},
};
use crate::diag::{Diag, known};

/// One `key`, `key = value` or `key(…)`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    None,
    Is(Expr),
    List(Paren, TokenStream),
}

impl Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let key = Ident::parse_any(input)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Value::Is(value(input)?)
        } else if input.peek(Paren) {
            let list;
            let paren = syn::parenthesized!(list in input);
            Value::List(paren, list.parse()?)
        } else {
            Value::None
        };
        if !(input.is_empty() || input.peek(Token![,])) {
            return Err(input.error("expected a comma"));
        }
        Ok(Self { key, value })
    }

    pub(crate) fn is(&self, key: &str) -> bool {
        self.key.unraw() == key
    }
}

/// An expression; or a type with parameters, which reads like a comparison that breaks off, as it is.
fn value(input: ParseStream<'_>) -> syn::Result<Expr> {
    let ends = |input: ParseStream<'_>| input.is_empty() || input.peek(Token![,]);
    let ahead = input.fork();
    if let Ok(ty) = ahead.parse::<Type>()
        && matches!(ty, Type::Path(_))
        && ends(&ahead)
        && input.fork().parse::<Expr>().is_err()
    {
        return Ok(Expr::Verbatim(input.parse::<Type>()?.into_token_stream()));
    }
    input.parse()
}

impl ToTokens for Entry {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.key.to_tokens(tokens);
        match &self.value {
            Value::None => {}
            Value::Is(value) => value.to_tokens(tokens),
            Value::List(paren, list) => paren.surround(tokens, |inner| inner.extend(list.clone())),
        }
    }
}

/// All entries that can be read. What cannot be read is told and skipped up to the next comma; a key given twice is told.
pub(crate) fn entries(tokens: TokenStream, example: &str, diag: &mut Diag) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let parser = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let bare = input.fork().parse::<LitStr>().ok();
            match Entry::parse(input) {
                Ok(entry) if entries.iter().any(|known| known.key == entry.key) => {
                    diag.on(&entry.key, format!("`{}` is given twice: leave one of them out", entry.key));
                }
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    match bare {
                        Some(text) => diag.on(&text, format!("a value needs its key: write `{example}`")),
                        None => diag.push(error),
                    }
                    skip_to_comma(input)?;
                }
            }
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    if let Err(error) = parser.parse2(tokens) {
        diag.push(error);
    }
    entries
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// The tokens in an attribute's parentheses; none for a bare `#[rpc]`.
pub(crate) fn inside(attr: &Attribute, example: &str, diag: &mut Diag) -> TokenStream {
    match &attr.meta {
        syn::Meta::Path(_) => TokenStream::new(),
        syn::Meta::List(list) => list.tokens.clone(),
        syn::Meta::NameValue(meta) => {
            diag.on(meta, format!("write `#[{}({example})]`", meta.path.to_token_stream()));
            TokenStream::new()
        }
    }
}

/// An error for a key that the attribute does not have.
fn unknown_key(entry: &Entry, attribute: &str, keys: &[&str], diag: &mut Diag) {
    let word = entry.key.unraw().to_string();
    let known = known(&word, &format!("the keys of `{attribute}` are"), keys);
    diag.on(&entry.key, format!("unknown key `{word}`: {known}"));
}

/// `#[fault(crate = …)]` or `#[dependency(crate = …)]` on a whole type: the only key there.
pub(crate) fn type_crate(attrs: &[Attribute], diag: &mut Diag) -> Path {
    let mut path = default_crate();
    for attr in attrs {
        for entry in entries(inside(attr, "crate = …", diag), "crate = …", diag) {
            if entry.is("crate") {
                path = entry.krate(diag).unwrap_or(path);
            } else {
                let name = attr.path().to_token_stream();
                diag.on(
                    &entry.key,
                    format!(
                        "on the type itself `#[{name}(…)]` takes `crate` alone; the other keys go on what is inside"
                    ),
                );
            }
        }
    }
    path
}

/// Where kinoko is: `::kinoko`, or what `crate = …` says.
pub(crate) fn default_crate() -> Path {
    let mut path: Path = Ident::new("kinoko", Span::call_site()).into();
    path.leading_colon = Some(syn::token::PathSep::default());
    path
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn a_broken_entry_does_not_hide_the_next_ones() {
        let mut diag = Diag::default();
        let entries = entries(quote!("orders", max_workers = 8, wire == 3, client = false), "name = \"…\"", &mut diag);
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.to_string()).collect();
        assert_eq!(keys, ["max_workers", "client"]);
        assert_eq!(diag.texts()[0], "a value needs its key: write `name = \"…\"`");
        assert_eq!(diag.texts().len(), 2);
    }
}
