use std::time::Duration;

use proc_macro2::TokenStream;
use syn::{LitStr, Path, spanned::Spanned};

use super::{default_crate, entries, names::wire_name, unknown_key};
use crate::diag::Diag;

/// `#[saga(…)]`
pub(crate) struct SagaArgs {
    /// Empty after an error.
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) timeout: Option<Duration>,
    pub(crate) input: Option<Path>,
    pub(crate) krate: Path,
}

const KEYS: [&str; 5] = ["name", "version", "timeout", "input", "crate"];

impl SagaArgs {
    pub(crate) fn parse(tokens: TokenStream, diag: &mut Diag) -> Self {
        let span = tokens.span();
        let mut args = Self { name: String::new(), version: 1, timeout: None, input: None, krate: default_crate() };
        let mut named = false;
        let clean = diag.count();
        for entry in entries(tokens, "name = \"…\"", diag) {
            match entry.key.to_string().as_str() {
                "name" => {
                    named = true;
                    let text = entry.text("place_order", diag);
                    args.name = text.and_then(|text: LitStr| wire_name(&text, "a saga", diag)).unwrap_or_default();
                }
                "version" => {
                    if let Some(version) = entry.count(diag) {
                        args.version = u32::try_from(version).unwrap_or(u32::MAX);
                    }
                }
                "timeout" => args.timeout = entry.some_time(diag),
                "input" => args.input = entry.path(diag),
                "crate" => args.krate = entry.krate(diag).unwrap_or(args.krate),
                _ => unknown_key(&entry, "saga", &KEYS, diag),
            }
        }
        if !named && diag.count() == clean {
            diag.at(span, "a saga needs a name, under which the log keeps it: write `#[saga(name = \"…\")]`");
        }
        args
    }
}
