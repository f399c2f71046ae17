//! What stands before the keys: `#[event_handler(OrderPlaced, …)]`, `#[consume("invoices", …)]`.

use proc_macro2::TokenStream;
use syn::{
    Ident, LitStr, Token, Type,
    ext::IdentExt,
    parse::{ParseStream, Parser, discouraged::Speculative},
    token::Paren,
};

/// A value without a key.
pub(super) enum Positional {
    Text(LitStr),
    Type(Box<Type>),
}

/// Values up to the first key, and the tokens after them.
pub(super) fn positional(tokens: TokenStream) -> (Vec<Positional>, TokenStream) {
    let parser = |input: ParseStream<'_>| {
        let mut values = Vec::new();
        while let Some(value) = next(input) {
            values.push(value);
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        Ok((values, input.parse()?))
    };
    parser.parse2(tokens).unwrap_or_default()
}

/// The next value, if a comma or the end follows it.
fn next(input: ParseStream<'_>) -> Option<Positional> {
    let fork = input.fork();
    let value = if fork.peek(LitStr) {
        Positional::Text(fork.parse().ok()?)
    } else if is_key(&fork) {
        return None;
    } else {
        Positional::Type(fork.parse().ok()?)
    };
    if !(fork.is_empty() || fork.peek(Token![,])) {
        return None;
    }
    input.advance_to(&fork);
    Some(value)
}

/// `key = …`, `key(…)`, or a word that is written like a key and not like a type.
fn is_key(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    let Ok(word) = Ident::parse_any(&fork) else { return false };
    if fork.peek(Paren) || fork.peek(Token![=]) {
        return true;
    }
    let alone = fork.is_empty() || fork.peek(Token![,]);
    alone && word.to_string().starts_with(|first: char| first.is_lowercase())
}
