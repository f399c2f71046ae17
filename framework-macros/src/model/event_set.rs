//! An enum with `#[derive(EventSet)]`.

use syn::{Attribute, Data, DeriveInput, Fields, Ident, Index, Member, Path, Type, spanned::Spanned};

use super::output::same;
use crate::{args::type_crate, diag::Diag};

pub(crate) struct EventSetModel {
    pub(crate) ident: Ident,
    pub(crate) krate: Path,
    pub(crate) variants: Vec<EventVariant>,
}

pub(crate) struct EventVariant {
    pub(crate) ident: Ident,
    pub(crate) member: Member,
    /// The event.
    pub(crate) ty: Type,
}

impl EventSetModel {
    pub(crate) fn read(input: &DeriveInput, diag: &mut Diag) -> Self {
        let own: Vec<Attribute> =
            input.attrs.iter().filter(|attr| attr.path().is_ident("event_set")).cloned().collect();
        let mut model = Self { ident: input.ident.clone(), krate: type_crate(&own, diag), variants: Vec::new() };
        if !input.generics.params.is_empty() {
            diag.on(&input.generics, "a set of events is one concrete type: leave the parameters out");
        }
        let Data::Enum(data) = &input.data else {
            diag.on(&input.ident, "a set of events is an enum, each variant with one event: write `enum`");
            return model;
        };
        if data.variants.is_empty() {
            diag.on(&input.ident, "a set without events handles none: write a variant for each");
        }
        for variant in &data.variants {
            let field = match &variant.fields {
                fields @ (Fields::Named(_) | Fields::Unnamed(_)) if fields.len() == 1 => fields.iter().next(),
                _ => None,
            };
            let Some(field) = field else {
                diag.on(variant, format!("a variant has one event: write `{}(SomeEvent)`", variant.ident));
                continue;
            };
            if model.variants.iter().any(|known| same(&known.ty, &field.ty)) {
                diag.on(&field.ty, "this event is in the set already: one variant for each");
                continue;
            }
            let member = match &field.ident {
                Some(ident) => Member::Named(ident.clone()),
                None => Member::Unnamed(Index { index: 0, span: field.ty.span() }),
            };
            model.variants.push(EventVariant { ident: variant.ident.clone(), member, ty: field.ty.clone() });
        }
        model
    }
}
