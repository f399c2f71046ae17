//! What sets an option: `timeout = "2s"`, `retry(max = 3, idempotent)`, `breaker`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, Ident};

use super::{
    Entry, Value, entries,
    option_values::{check, part_example},
};
use crate::diag::Diag;

/// One option, for whatever has it. Which ones there are is the compiler's to say.
pub(crate) struct OptionArg {
    pub(crate) key: Ident,
    pub(crate) value: OptionValue,
}

pub(crate) enum OptionValue {
    Is(Expr),
    /// `key(…)`: the options of a part, which has its defaults for the others.
    Part(Vec<(Ident, Expr)>),
}

/// Options of kinoko's own that say all by being there.
const FLAGS: [&str; 2] = ["secret", "idempotent"];
/// Parts of kinoko's own that have a default for everything.
pub(super) const PARTS: [&str; 3] = ["retry", "breaker", "bulkhead"];

impl OptionArg {
    /// `None` after an error.
    pub(super) fn read(entry: Entry, diag: &mut Diag) -> Option<Self> {
        let value = match entry.value {
            Value::None if PARTS.iter().any(|part| entry.key == part) => OptionValue::Part(Vec::new()),
            Value::List(paren, list) if list.is_empty() => {
                let text = match part_example(&entry.key.to_string()) {
                    Some(example) => format!("`{}()` says nothing: write {example}", entry.key),
                    None => format!("an option needs a value: write `{} = …`", entry.key),
                };
                diag.at(paren.span.join(), text);
                return None;
            }
            Value::List(_, list) => OptionValue::Part(part(&entry.key, list, diag)),
            value => OptionValue::Is(read(None, &entry.key, value, diag)?),
        };
        Some(Self { key: entry.key, value })
    }

    /// A value as its programmer wrote it.
    pub(crate) fn expression(&self) -> Option<&Expr> {
        match &self.value {
            OptionValue::Is(value) => Some(value),
            OptionValue::Part(_) => None,
        }
    }
}

/// What stands in the parentheses of `key(…)`.
fn part(key: &Ident, list: TokenStream, diag: &mut Diag) -> Vec<(Ident, Expr)> {
    let inner = entries(list, "key = …", diag).into_iter();
    inner.filter_map(|inner| Some((inner.key.clone(), read(Some(key), &inner.key, inner.value, diag)?))).collect()
}

fn read(part: Option<&Ident>, key: &Ident, value: Value, diag: &mut Diag) -> Option<Expr> {
    let value = match value {
        Value::Is(value) => value,
        Value::None if FLAGS.iter().any(|flag| key == flag) => {
            let mut yes: syn::LitBool = syn::parse_quote!(true);
            yes.span = key.span();
            syn::parse_quote!(#yes)
        }
        Value::None | Value::List(..) => {
            let text = match part_example(&key.to_string()).filter(|_| part.is_none()) {
                Some(example) => format!("`{key}` needs a value: write {example}"),
                None => format!("an option needs a value: write `{key} = …`"),
            };
            diag.on(key, text);
            return None;
        }
    };
    if let Err(why) = check(part.map(ToString::to_string).as_deref(), &key.to_string(), &value) {
        diag.on(value.to_token_stream(), why);
    }
    Some(value)
}
