//! Attributes on the user's items: ours, and those that generated items carry on.

use syn::{Attribute, Path};

/// Whether an attribute is ours: `rpc`, or `kinoko::rpc` with whatever name the crate goes by.
pub(crate) fn is_ours(attr: &Attribute, name: &str, krate: &Path) -> bool {
    let path = attr.path();
    let Some(last) = path.segments.last() else { return false };
    if last.ident != name {
        return false;
    }
    let words = |path: &Path| path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>();
    let mut module = words(path);
    module.pop();
    module.is_empty() || module == ["kinoko"] || module == words(krate)
}

/// Takes our attributes of this name away from an item, and gives them back.
pub(crate) fn take_ours(attrs: &mut Vec<Attribute>, name: &str, krate: &Path) -> Vec<Attribute> {
    attrs.extract_if(.., |attr| is_ours(attr, name, krate)).collect()
}

/// The `cfg` attributes, which everything generated for an item must carry too.
pub(crate) fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

/// The doc comments, for generated items.
pub(crate) fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect()
}

/// The doc comments as one text.
pub(crate) fn doc_text(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        syn::Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let text = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect::<Vec<_>>();
    text.join("\n").trim().to_owned()
}
