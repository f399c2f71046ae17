use quote::ToTokens;
use syn::{Attribute, Ident, Path, ext::IdentExt};

use super::{Entry, OptionArg, Value, entries, inside};
use crate::diag::Diag;

/// `#[dependency(…)]` on a field
#[derive(Default)]
pub(crate) struct DependencyArgs {
    pub(crate) options: Vec<OptionArg>,
    pub(crate) methods: Vec<MethodArg>,
    /// Leaves `Has` out: two spellings of one type would else be two impls.
    pub(crate) no_inject: bool,
}

/// What is said of one method of a client: `price(timeout = "200ms", fallback = list_price)`.
pub(crate) struct MethodArg {
    pub(crate) method: Ident,
    pub(crate) options: Vec<OptionArg>,
    pub(crate) fallback: Option<Path>,
}

const METHODS: &str = "methods(price(timeout = \"200ms\", fallback = list_price))";

impl DependencyArgs {
    pub(crate) fn parse(attrs: &[Attribute], diag: &mut Diag) -> Self {
        let mut args = Self::default();
        for attr in attrs {
            for entry in entries(inside(attr, "key = \"…\"", diag), "key = \"…\"", diag) {
                let is_twice = args.options.iter().any(|option| option.key == entry.key)
                    || (entry.is("methods") && !args.methods.is_empty());
                if entry.is("no_inject") {
                    args.no_inject = entry.flag(diag);
                } else if is_twice {
                    diag.on(&entry.key, format!("`{}` is given twice: leave one of them out", entry.key));
                } else if entry.is("methods") {
                    args.methods = methods(entry, diag);
                } else {
                    args.options.extend(OptionArg::read(entry, diag));
                }
            }
        }
        args
    }
}

fn methods(entry: Entry, diag: &mut Diag) -> Vec<MethodArg> {
    match entry.value {
        Value::List(_, list) if !list.is_empty() => {
            entries(list, METHODS, diag).into_iter().filter_map(|method| MethodArg::read(method, diag)).collect()
        }
        _ => {
            diag.on(&entry, format!("`methods` says which ones, and what of each: write `{METHODS}`"));
            Vec::new()
        }
    }
}

impl MethodArg {
    fn read(entry: Entry, diag: &mut Diag) -> Option<Self> {
        let method = entry.key.clone();
        let Value::List(_, list) = entry.value else {
            let text = format!("what of `{}`? Write `{0}(timeout = \"200ms\")`", method.unraw());
            diag.on(method.to_token_stream(), text);
            return None;
        };
        let mut args = Self { method, options: Vec::new(), fallback: None };
        for entry in entries(list, "key = …", diag) {
            if entry.is("fallback") {
                args.fallback = entry.path(diag);
            } else {
                args.options.extend(OptionArg::read(entry, diag));
            }
        }
        Some(args)
    }
}
