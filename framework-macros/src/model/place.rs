//! Where a request carries a parameter, as it is written.

use proc_macro2::Span;
use syn::{Attribute, LitStr, PatType, Path, spanned::Spanned};

use super::Giver;
use crate::{diag::Diag, syntax::take_ours};

/// `#[query]` and the like on a parameter.
#[derive(Clone)]
pub(crate) struct PlaceAttr {
    pub(crate) place: WrittenPlace,
    pub(crate) span: Span,
    /// What it is called there: `#[header("x-tenant")]`.
    pub(crate) name: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WrittenPlace {
    Query,
    Header,
    Cookie,
    Body,
    Form,
    Multipart,
}

pub(super) const PLACES: [(&str, WrittenPlace); 6] = [
    ("query", WrittenPlace::Query),
    ("header", WrittenPlace::Header),
    ("cookie", WrittenPlace::Cookie),
    ("body", WrittenPlace::Body),
    ("form", WrittenPlace::Form),
    ("multipart", WrittenPlace::Multipart),
];

impl WrittenPlace {
    pub(crate) fn word(self) -> &'static str {
        PLACES.into_iter().find(|(_, place)| *place == self).map_or("", |(word, _)| word)
    }
}

/// Takes such an attribute off a parameter.
pub(super) fn take(param: &mut PatType, giver: Giver, krate: &Path, diag: &mut Diag) -> Option<PlaceAttr> {
    let mut found: Option<PlaceAttr> = None;
    for (word, place) in PLACES {
        for attr in take_ours(&mut param.attrs, word, krate) {
            if !giver.request {
                let text = format!(
                    "`#[{word}]` says where an HTTP request carries the parameter: mark the method `#[http(…)]`, or leave it out"
                );
                diag.on(&attr, text);
                continue;
            }
            if let Some(other) = &found {
                let other = other.place.word();
                diag.on(&attr, format!("a parameter comes from one place: `#[{other}]` or `#[{word}]`, not both"));
                continue;
            }
            let name = name(&attr, word, place, diag);
            found = Some(PlaceAttr { place, span: attr.path().span(), name });
        }
    }
    found
}

fn name(attr: &Attribute, word: &str, place: WrittenPlace, diag: &mut Diag) -> Option<String> {
    if let syn::Meta::Path(_) = attr.meta {
        return None;
    }
    if !matches!(place, WrittenPlace::Header | WrittenPlace::Cookie) {
        diag.on(attr, format!("`#[{word}]` stands alone: the parameter's own name is the one that counts"));
        return None;
    }
    let Ok(text) = attr.parse_args::<LitStr>() else {
        diag.on(attr, format!("`#[{word}]` takes its name as a text: `#[{word}(\"x-tenant\")]`"));
        return None;
    };
    let value = text.value();
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if value.is_empty() || !value.chars().all(is_token) {
        diag.on(&text, format!("no {word} is called {value:?}: write letters, digits, `-` and `_`"));
        return None;
    }
    Some(if place == WrittenPlace::Header { value.to_ascii_lowercase() } else { value })
}
