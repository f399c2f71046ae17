//! Kombu's tags: since 5.3 it writes what JSON has no form for as `{"__type__": …, "__value__": …}`.

use data_encoding::BASE64;
use uuid::Uuid;

use super::tree::Tree;

const KEY: &str = "__type__";
const VALUE_KEY: &str = "__value__";
/// [`KEY`] as it stands in every body that has a tagged object.
pub(super) const KEY_IN_JSON: &[u8] = b"\"__type__\"";

/// An object, or what stands for it: where it is tagged, the plain form that kombu wrote before 5.3, and for bytes their own.
///
/// What carries a tag of another type, or one that its value does not fit, stays an object.
pub(super) fn plain(mut entries: Vec<(String, Tree)>) -> Tree {
    if let [(first, _), (second, _)] = &entries[..]
        && let Some(tag) = [(KEY, VALUE_KEY, 0), (VALUE_KEY, KEY, 1)]
            .into_iter()
            .find_map(|(one, two, place)| (first == one && second == two).then_some(place))
        && let Tree::Text(kind) = &entries[tag].1
        && let Some(plain) = untagged(kind, &entries[1 - tag].1)
    {
        return plain;
    }
    entries.shrink_to_fit();
    Tree::Map(entries)
}

fn untagged(kind: &str, value: &Tree) -> Option<Tree> {
    match (kind, value) {
        ("datetime" | "date" | "time" | "decimal", Tree::Text(text)) => Some(Tree::Text(text.clone())),
        ("uuid", Tree::Map(parts)) => match &parts[..] {
            [(key, Tree::Text(hex))] if key == "hex" => Uuid::try_parse(hex).ok().map(|id| Tree::Text(id.to_string())),
            _ => None,
        },
        ("bytes", Tree::Text(text)) => Some(Tree::Bytes(text.clone().into_bytes())),
        ("base64", Tree::Text(text)) => BASE64.decode(text.as_bytes()).ok().map(Tree::Bytes),
        _ => None,
    }
}
