//! What compilers and linters say of code that nobody wrote.

use syn::{Attribute, File, Item, parse_quote};

/// Silences them: a program uses what it needs of a file, and lints are for what its author can change.
pub(crate) fn silence(file: &mut File) {
    for item in &mut file.items {
        let attributes = match item {
            Item::Struct(item) => &mut item.attrs,
            Item::Enum(item) => &mut item.attrs,
            Item::Impl(item) => &mut item.attrs,
            Item::Mod(item) => &mut item.attrs,
            _ => continue,
        };
        let allow: Attribute =
            parse_quote!(#[allow(clippy::all, clippy::pedantic, dead_code, missing_docs, unreachable_pub)]);
        attributes.insert(0, allow);
    }
}
