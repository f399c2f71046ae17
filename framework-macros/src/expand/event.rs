//! `#[event]` and `#[derive(EventSet)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Crate, descriptor::option};
use crate::{
    model::{EventModel, EventSetModel, EventVariant},
    syntax::{Place, at, copied, moved},
};

pub(crate) fn event(model: &EventModel) -> TokenStream {
    let krate = Crate::new(&model.krate);
    let EventModel { ident, source, name, required, cfgs, .. } = model;
    let fields = option(model.fields.as_ref().map(|fields| quote!(&[#(#fields),*])));
    let span = at(ident.span());
    let (k, ident) = (moved(&krate.private, span), copied(ident));
    quote_spanned! {span=>
        #(#cfgs)*
        #[allow(deprecated)]
        const _: () = {
            #[automatically_derived]
            impl #k::Event for #ident {
                const EVENT: #k::EventName = #k::EventName { source: #source, name: #name };
                const REQUIRED: bool = #required;
                const FIELDS: #k::Fields = #fields;
            }
        };
    }
}

pub(crate) fn event_set(model: &EventSetModel) -> TokenStream {
    let krate = Crate::new(&model.krate);
    let k = &krate.private;
    let ident = &model.ident;
    let members: Vec<_> = model.variants.iter().map(|variant| member(variant, k)).collect();
    let reads = model.variants.iter().zip(&members).map(|(variant, member)| {
        let (of, field) = (&variant.ident, &variant.member);
        quote! {
            if key == #member.name.name {
                return ::core::result::Result::map((#member.read)(raw), |event| Self::#of { #field: event });
            }
        }
    });
    let checks = model.variants.iter().enumerate().map(|(place, variant)| {
        let span = at(variant.ty.span());
        let k = moved(k, span);
        quote_spanned!(span=> const _: () = #k::assert_in_set(<#ident as #k::EventSet>::EVENTS, #place);)
    });
    quote! {
        #[allow(deprecated, clippy::all, clippy::pedantic)]
        const _: () = {
            #[automatically_derived]
            impl #k::EventSet for #ident {
                const EVENTS: &'static [#k::EventName] = &[#(#members.name),*];
                const FIELDS: &'static [#k::Fields] = &[#(#members.fields),*];

                fn read(raw: &#k::RawDelivery) -> ::core::result::Result<Self, #k::PayloadError> {
                    let key = #k::RawDelivery::routing_key(raw);
                    #(#reads)*
                    ::core::result::Result::Err(#k::not_in_set(raw))
                }
            }

            #(#checks)*
        };
    }
}

/// What there is to know of a variant's event: where its type is asked to be one.
fn member(variant: &EventVariant, k: &TokenStream) -> TokenStream {
    let (ty, place) = (copied(&variant.ty), Place::of(&variant.ty));
    let (span, none) = (place.first, place.parens(TokenStream::new()));
    let k = moved(k, span);
    quote_spanned!(span=> #k::event_member::<#ty>#none)
}
