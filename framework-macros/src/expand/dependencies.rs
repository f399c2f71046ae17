//! `#[derive(Dependencies)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, spanned::Spanned};

use super::Crate;
use crate::{
    model::{DependenciesModel, FieldModel},
    syntax::{at, copied, hidden},
};

pub(crate) fn expand(model: &DependenciesModel, input: &DeriveInput, broken: bool) -> TokenStream {
    let krate = Crate::new(&model.krate);
    let Crate { root, private: k } = &krate;
    let ident = &model.ident;
    let (impl_generics, type_generics, clause) = input.generics.split_for_impl();
    let cx = Ident::new("cx", hidden(ident.span()));
    let setup = if broken { stub() } else { setup(model, &cx, k) };
    let fields = if broken { &[] } else { model.fields.as_slice() };
    let worker_setup = fields.iter().map(|field| {
        let (member, ty, span) = (&field.member, copied(&field.ty), at(field.span()));
        quote_spanned!(span=> <#ty as #k::Dependency>::worker_setup(&self.#member, cx).await?;)
    });
    let worker_result = fields.iter().rev().map(|field| {
        let (member, ty, span) = (&field.member, copied(&field.ty), at(field.span()));
        quote_spanned! {span=>
            let done = ::core::result::Result::and(done, <#ty as #k::Dependency>::worker_result(&self.#member, cx, outcome).await);
        }
    });
    let worker_teardown = fields.iter().rev().map(|field| {
        let (member, ty, span) = (&field.member, copied(&field.ty), at(field.span()));
        quote_spanned! {span=>
            let done = ::core::result::Result::and(done, <#ty as #k::Dependency>::worker_teardown(&self.#member, cx).await);
        }
    });
    let has = fields.iter().filter(|field| field.gives).map(|field| {
        let (member, ty, span) = (&field.member, copied(&field.ty), at(field.span()));
        quote_spanned! {span=>
            impl #k::Has<#ty> for #ident {
                fn get(&self) -> &#ty {
                    &self.#member
                }
            }
        }
    });
    quote! {
        #[allow(deprecated, unused_variables, unreachable_code, clippy::all, clippy::pedantic)]
        const _: () = {
            #[automatically_derived]
            impl #impl_generics #k::Dependencies for #ident #type_generics #clause {
                async fn setup(#cx: &#k::SetupContext) -> #root::Result<Self> {
                    #setup
                }

                async fn worker_setup(&self, cx: &#k::WorkerContext) -> #root::Result<()> {
                    #(#worker_setup)*
                    ::core::result::Result::Ok(())
                }

                async fn worker_result(&self, cx: &#k::WorkerContext, outcome: #k::WorkerOutcome<'_>) -> #root::Result<()> {
                    let done = ::core::result::Result::Ok(());
                    #(#worker_result)*
                    done
                }

                async fn worker_teardown(&self, cx: &#k::WorkerContext) -> #root::Result<()> {
                    let done = ::core::result::Result::Ok(());
                    #(#worker_teardown)*
                    done
                }
            }

            #(#has)*
        };
    }
}

/// Offers all fields before it takes the first, so that what one field requires is another one with its options.
fn setup(model: &DependenciesModel, cx: &Ident, k: &TokenStream) -> TokenStream {
    let offers = model.fields.iter().enumerate().map(|(place, field)| {
        let (offer, name, ty) = (offer(place), field.name(), copied(&field.ty));
        let (span, options) = (at(field.span()), options(field, k));
        quote_spanned! {span=>
            let #offer = #k::SetupContext::offer::<#ty>(#cx, #name, #options);
        }
    });
    let takes = model.fields.iter().enumerate().map(|(place, field)| {
        let (offer, member, ty, span) = (offer(place), &field.member, copied(&field.ty), at(field.span()));
        quote_spanned!(span=> #member: #k::SetupContext::take::<#ty>(#cx, #offer).await?,)
    });
    quote! {
        #(#offers)*
        ::core::result::Result::Ok(Self { #(#takes)* })
    }
}

fn offer(place: usize) -> Ident {
    format_ident!("offer{place}")
}

/// Assigns each option to the provider's own field: the compiler knows which there are.
fn options(field: &FieldModel, k: &TokenStream) -> TokenStream {
    let (ty, span) = (copied(&field.ty), at(field.span()));
    let empty = quote_spanned!(span=> <<#ty as #k::Dependency>::Options as ::core::default::Default>::default());
    if field.options.is_empty() {
        return empty;
    }
    let options = Ident::new("options", hidden(field.span()));
    let set = field.options.iter().map(|option| {
        let (key, name, value) = (&option.key, option.key.to_string(), &option.value);
        let span = at(value.span());
        let value = quote_spanned!(span=> #k::option_value(#name, #value)?);
        quote!(#options.#key = #value;)
    });
    quote! {{
        let mut #options = #empty;
        #(#set)*
        #options
    }}
}

/// Never run: there is an error beside it.
fn stub() -> TokenStream {
    quote!(::core::unreachable!())
}
