use proc_macro2::TokenStream;
use syn::{LitStr, Path, spanned::Spanned};

use super::{default_crate, entries, names::event_name, unknown_key};
use crate::diag::Diag;

/// `#[event(…)]` on a type
pub(crate) struct EventArgs {
    /// Absent after an error.
    pub(crate) source: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) required: bool,
    pub(crate) krate: Path,
}

const KEYS: [&str; 4] = ["source", "name", "required", "crate"];

impl EventArgs {
    pub(crate) fn parse(tokens: TokenStream, diag: &mut Diag) -> Self {
        let span = tokens.span();
        let mut args = Self { source: None, name: None, required: false, krate: default_crate() };
        let clean = diag.count();
        for entry in entries(tokens, "source = \"…\"", diag) {
            match entry.key.to_string().as_str() {
                "source" => {
                    let text = entry.text("orders", diag);
                    args.source = text.filter(|text| event_name(text, "the source of an event", diag));
                }
                "name" => {
                    let text = entry.text("order_placed", diag);
                    args.name = text.filter(|text| event_name(text, "an event", diag));
                }
                "required" => args.required = entry.flag(diag),
                "crate" => args.krate = entry.krate(diag).unwrap_or(args.krate),
                _ => unknown_key(&entry, "event", &KEYS, diag),
            }
        }
        if args.source.is_none() && diag.count() == clean {
            diag.at(span, "who sends it? write `#[event(source = \"orders\")]` with the name of the service");
        }
        args
    }
}
