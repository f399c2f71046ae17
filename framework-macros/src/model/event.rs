//! A type with `#[event]`.

use syn::{Attribute, Data, DeriveInput, Ident, Path, ext::IdentExt};

use super::body;
use crate::{args::EventArgs, diag::Diag, syntax::cfgs};

pub(crate) struct EventModel {
    pub(crate) ident: Ident,
    pub(crate) source: String,
    pub(crate) name: String,
    pub(crate) required: bool,
    /// Of the body, where they are known.
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) krate: Path,
    pub(crate) cfgs: Vec<Attribute>,
}

impl EventModel {
    pub(crate) fn read(args: EventArgs, input: &DeriveInput, diag: &mut Diag) -> Self {
        if !input.generics.params.is_empty() {
            diag.on(
                &input.generics,
                "an event is one concrete type, the same for all who handle it: leave the parameters out",
            );
        }
        if let Data::Union(data) = &input.data {
            diag.on(data.union_token, "an event is a struct or an enum: write `struct`");
        }
        Self {
            source: args.source.map(|text| text.value()).unwrap_or_default(),
            name: args.name.map_or_else(|| snake_case(&input.ident.unraw().to_string()), |text| text.value()),
            ident: input.ident.clone(),
            required: args.required,
            fields: body::fields(input),
            krate: args.krate,
            cfgs: cfgs(&input.attrs),
        }
    }
}

/// `OrderPlaced` → `order_placed`, `HTTPFailed` → `http_failed`.
fn snake_case(name: &str) -> String {
    super::error::screaming_snake(name).to_lowercase()
}
