//! What names become in Rust, and which must not meet there.

use std::collections::BTreeMap;

use syn::Item;

/// What prost makes of these is no raw identifier.
const NEVER_RAW: [&str; 4] = ["self", "super", "extern", "crate"];

/// Whether a field's name in Rust may be another one than in the file.
pub(crate) fn may_differ(name: &str) -> bool {
    let is_plain =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    NEVER_RAW.contains(&name) || !name.split('_').all(is_plain)
}

/// The names of a package that are given twice.
pub(crate) fn doubles(items: &[Item]) -> Vec<String> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for name in items.iter().filter_map(type_name) {
        *times.entry(name).or_default() += 1;
    }
    times.into_iter().filter(|(_, times)| *times > 1).map(|(name, _)| name).collect()
}

fn type_name(item: &Item) -> Option<String> {
    match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        _ => None,
    }
}
