//! What stands before the keys: `#[event_handler(OrderPlaced, …)]`, `#[consume("invoices", …)]`.

use proc_macro2::{TokenStream, TokenTree};
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

/// Values up to the first key, and the tokens after them. `flags` are keys that stand alone, which a type might be taken for.
pub(super) fn positional(tokens: TokenStream, flags: &[&str]) -> (Vec<Positional>, TokenStream) {
    let parser = |input: ParseStream<'_>| {
        let mut values = Vec::new();
        while let Some(value) = next(input, flags) {
            values.push(value);
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        Ok((values, input.parse()?))
    };
    parser.parse2(tokens).unwrap_or_default()
}

/// The next value, if it is followed by a comma or the end.
fn next(input: ParseStream<'_>, flags: &[&str]) -> Option<Positional> {
    let fork = input.fork();
    let value = if fork.peek(LitStr) {
        Positional::Text(fork.parse().ok()?)
    } else {
        if is_key(&fork, flags) {
            return None;
        }
        Positional::Type(fork.parse().ok()?)
    };
    if !(fork.is_empty() || fork.peek(Token![,])) {
        return None;
    }
    input.advance_to(&fork);
    Some(value)
}

fn is_key(input: ParseStream<'_>, flags: &[&str]) -> bool {
    let fork = input.fork();
    let Ok(word) = Ident::parse_any(&fork) else { return false };
    if fork.peek(Paren) || fork.peek(Token![=]) {
        return true;
    }
    let alone = !matches!(fork.parse::<TokenTree>(), Ok(TokenTree::Punct(punct)) if punct.as_char() != ',');
    let word = word.to_string();
    // A type that is written like a key, and near to one, is a slip.
    alone
        && word.starts_with(|first: char| first.is_lowercase())
        && kinoko_text::nearest(&word, flags.iter().copied()).is_some()
}
