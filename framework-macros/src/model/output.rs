//! What a method returns, as far as its spelling tells.

use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypePath};

/// A written return type.
pub(crate) enum Output {
    /// Nothing, or a plain type of the standard library.
    Plain(Option<Type>),
    /// `Result<T, E>`
    Result(Box<ResultType>),
    /// A name that may be an alias of a `Result`: only the compiler knows.
    Unknown(Type),
}

/// A written result and what it consists of.
pub(crate) struct ResultType {
    pub(crate) whole: Type,
    pub(crate) ok: Type,
    pub(crate) err: Type,
}

/// Types that are no `Result`, by their last word.
const PLAIN: [&str; 31] = [
    "String",
    "bool",
    "char",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "Vec",
    "VecDeque",
    "Option",
    "Box",
    "HashMap",
    "HashSet",
    "BTreeMap",
    "BTreeSet",
    "Duration",
    "SystemTime",
    "PathBuf",
    "Cow",
    "Arc",
];

impl Output {
    pub(crate) fn read(output: &ReturnType) -> Self {
        let ReturnType::Type(_, written) = output else { return Self::Plain(None) };
        let whole = ungrouped(written).clone();
        match &whole {
            Type::Path(TypePath { qself: None, path, .. }) => {
                let Some(last) = path.segments.last() else { return Self::Unknown(whole) };
                if last.ident == "Result"
                    && let Some((ok, err)) = two_types(&last.arguments)
                {
                    return Self::Result(Box::new(ResultType { ok, err, whole }));
                }
                let standard = path.segments.len() == 1
                    || path
                        .segments
                        .first()
                        .is_some_and(|first| ["std", "core", "alloc"].iter().any(|known| first.ident == known));
                if standard && PLAIN.iter().any(|plain| last.ident == plain) {
                    return Self::Plain(Some(whole));
                }
                Self::Unknown(whole)
            }
            Type::Tuple(_) | Type::Array(_) | Type::Slice(_) | Type::Reference(_) => Self::Plain(Some(whole)),
            _ => Self::Unknown(whole),
        }
    }

    /// The whole written type.
    pub(crate) fn written(&self) -> Option<&Type> {
        match self {
            Self::Plain(written) => written.as_ref(),
            Self::Result(result) => Some(&result.whole),
            Self::Unknown(whole) => Some(whole),
        }
    }

    /// The type of a success, where the spelling tells.
    pub(crate) fn ok(&self) -> Option<&Type> {
        match self {
            Self::Plain(written) => written.as_ref(),
            Self::Result(result) => Some(&result.ok),
            Self::Unknown(_) => None,
        }
    }
}

fn two_types(arguments: &PathArguments) -> Option<(Type, Type)> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    let mut types = arguments.args.iter().map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    match (types.next()??, types.next()??, types.next()) {
        (ok, err, None) => Some((ok, err)),
        _ => None,
    }
}

/// A type without the parentheses, visible or not, around it.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        other => other,
    }
}

/// Whether two types are written alike.
pub(crate) fn same(left: &impl ToTokens, right: &impl ToTokens) -> bool {
    left.to_token_stream().to_string() == right.to_token_stream().to_string()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn spelling_tells_results_and_plain_types_from_names() {
        let read = |output: ReturnType| match Output::read(&output) {
            Output::Plain(_) => "plain",
            Output::Result(_) => "result",
            Output::Unknown(_) => "unknown",
        };
        assert_eq!(read(ReturnType::Default), "plain");
        assert_eq!(read(parse_quote!(-> std::collections::HashMap<u8, u8>)), "plain");
        assert_eq!(read(parse_quote!(-> (Order, u8))), "plain");
        assert_eq!(read(parse_quote!(-> std::result::Result<Order, OrderError>)), "result");
        assert_eq!(read(parse_quote!(-> kinoko::Result<Order>)), "unknown");
        assert_eq!(read(parse_quote!(-> chrono::Duration)), "unknown");
        assert_eq!(read(parse_quote!(-> Order)), "unknown");
    }
}
