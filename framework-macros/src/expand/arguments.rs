//! The struct that a request's body is decoded into: one optional slot for each parameter that callers send.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, Index, spanned::Spanned};

use super::{descriptor::params, output::slot};
use crate::{
    model::{MethodModel, ParamKind, ParamModel, Pass},
    syntax::{at, copied, moved},
};

/// The struct's name.
pub(super) fn name(method: &MethodModel) -> Ident {
    format_ident!("__Args{}", method.first)
}

/// The slot's name.
pub(super) fn field(place: usize) -> Ident {
    format_ident!("p{place}")
}

pub(super) fn pass(param: &ParamModel) -> Option<&Pass> {
    match &param.kind {
        ParamKind::Argument { pass, .. } => Some(pass),
        ParamKind::Inject | ParamKind::Extract => None,
    }
}

/// The struct and its `Args`.
pub(super) fn expand(method: &MethodModel, k: &TokenStream) -> TokenStream {
    let (name, cfgs, params) = (name(method), &method.cfgs, params(method, k));
    let slots: Vec<_> = method
        .arguments()
        .enumerate()
        .filter_map(|(place, param)| Some((place, param, pass(param)?)))
        .map(|(place, param, pass)| Slot { place, param, pass, ty: slot(pass, &param.ty, k) })
        .collect();
    let fields = slots.iter().map(|Slot { place, ty, .. }| {
        let field = field(*place);
        quote!(#field: ::core::option::Option<#ty>,)
    });
    let empty = slots.iter().map(|slot| {
        let field = field(slot.place);
        quote!(#field: ::core::option::Option::None,)
    });
    let index = slots.iter().map(|slot| {
        let (name, place) = (slot.param.wire_name(), Index::from(slot.place));
        quote!(#name => ::core::option::Option::Some(#place),)
    });
    let is_set = slots.iter().map(|slot| {
        let (field, place) = (field(slot.place), Index::from(slot.place));
        quote!(#place => ::core::option::Option::is_some(&self.#field),)
    });
    let set = slots.iter().map(|slot| slot.set(k));
    quote! {
        #(#cfgs)*
        struct #name<'de> {
            #(#fields)*
            de: ::core::marker::PhantomData<&'de ()>,
        }

        #(#cfgs)*
        impl ::core::default::Default for #name<'_> {
            fn default() -> Self {
                Self { #(#empty)* de: ::core::marker::PhantomData }
            }
        }

        #(#cfgs)*
        impl<'de> #k::Args<'de> for #name<'de> {
            const PARAMS: &'static [#k::Param] = #params;

            fn index(name: &str) -> ::core::option::Option<usize> {
                match name {
                    #(#index)*
                    _ => ::core::option::Option::None,
                }
            }

            fn is_set(&self, index: usize) -> bool {
                match index {
                    #(#is_set)*
                    _ => false,
                }
            }

            fn set<__D: #k::serde::Deserializer<'de>>(
                &mut self,
                index: usize,
                deserializer: __D,
            ) -> ::core::result::Result<(), __D::Error> {
                match index {
                    #(#set)*
                    _ => return #k::no_such_parameter(deserializer),
                }
                ::core::result::Result::Ok(())
            }
        }
    }
}

struct Slot<'a> {
    place: usize,
    param: &'a ParamModel,
    pass: &'a Pass,
    ty: TokenStream,
}

impl Slot<'_> {
    /// The only place that asks the type to be readable, so that a missing derive is told once, at the parameter's type.
    fn set(&self, k: &TokenStream) -> TokenStream {
        let (field, place, ty) = (field(self.place), Index::from(self.place), &self.ty);
        let span = at(self.param.ty.span());
        let k = &moved(k, span);
        let read = match self.pass {
            Pass::Slice(item) => {
                let item = copied(item);
                quote_spanned!(span=> #k::read_list::<#item, __D>(deserializer))
            }
            Pass::Text => quote_spanned!(span=> <#ty as #k::serde::Deserialize<'de>>::deserialize(deserializer)),
            _ => quote_spanned!(span=> #k::read_argument::<#ty, __D>(deserializer)),
        };
        quote!(#place => self.#field = ::core::option::Option::Some(#read?),)
    }
}
