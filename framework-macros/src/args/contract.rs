use proc_macro2::TokenStream;
use syn::{Path, spanned::Spanned};

use super::{default_crate, entries, names::wire_name, unknown_key};
use crate::diag::Diag;

/// `#[contract(…)]`
pub(crate) struct ContractArgs {
    /// Absent after an error.
    pub(crate) name: Option<String>,
    pub(crate) krate: Path,
}

const KEYS: [&str; 2] = ["name", "crate"];

impl ContractArgs {
    pub(crate) fn parse(tokens: TokenStream, diag: &mut Diag) -> Self {
        let span = tokens.span();
        let mut args = Self { name: None, krate: default_crate() };
        let clean = diag.count();
        for entry in entries(tokens, "name = \"…\"", diag) {
            match entry.key.to_string().as_str() {
                "name" => args.name = entry.text("orders", diag).and_then(|text| wire_name(&text, "a service", diag)),
                "crate" => args.krate = entry.krate(diag).unwrap_or(args.krate),
                _ => unknown_key(&entry, "contract", &KEYS, diag),
            }
        }
        if args.name.is_none() && diag.count() == clean {
            diag.at(span, "a contract needs the name of its service: write `#[contract(name = \"…\")]`");
        }
        args
    }
}
