//! `#[derive(Dependencies)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{DeriveInput, Expr, ExprLit, Lit, ext::IdentExt, spanned::Spanned};

use super::{
    Crate, client,
    descriptor::{option, spelled},
    options,
};
use crate::{
    args::{MethodArg, OptionArg},
    model::{DependenciesModel, FieldModel},
    syntax::{Place, at, copied, hidden, moved},
};

pub(crate) fn expand(model: &DependenciesModel, input: &DeriveInput, broken: bool) -> TokenStream {
    let krate = Crate::new(&model.krate);
    let Crate { root, private: k } = &krate;
    let ident = &model.ident;
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let (impl_generics, type_generics, clause) = input.generics.split_for_impl();
    let cx = Ident::new("cx", hidden(ident.span()));
    let setup = if broken { stub() } else { setup(model, &cx, k) };
    let settings = (!broken).then(|| settings(model, &krate));
    let fields = if broken { &[] } else { model.fields.as_slice() };
    let worker_setup = fields.iter().map(|field| {
        let (hook, wait) = (hook(field, "worker_setup", quote!(cx), k), Place::of(&field.ty).wait());
        quote!(#hook #wait?;)
    });
    let worker_result = fields.iter().rev().map(|field| each(field, "worker_result", quote!(cx, outcome), k));
    let worker_teardown = fields.iter().rev().map(|field| each(field, "worker_teardown", quote!(cx), k));
    let has = fields.iter().filter(|field| field.gives).map(|field| {
        let (member, ty, span) = (&field.member, copied(&field.ty), at(field.span()));
        let k = moved(k, span);
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
                #settings

                async fn setup(#cx: &#k::SetupContext) -> #root::Result<Self> {
                    #setup
                }

                async fn worker_setup(&self, cx: &#k::WorkerContext) -> #root::Result<()> {
                    #(#worker_setup)*
                    ::core::result::Result::Ok(())
                }

                async fn worker_result(&self, cx: &#k::WorkerContext, outcome: #k::WorkerOutcome<'_>) -> #root::Result<()> {
                    let so_far = ::core::result::Result::Ok(());
                    #(#worker_result)*
                    #k::hooks_over(so_far)
                }

                async fn worker_teardown(&self, cx: &#k::WorkerContext) -> #root::Result<()> {
                    let so_far = ::core::result::Result::Ok(());
                    #(#worker_teardown)*
                    #k::hooks_over(so_far)
                }
            }

            #(#has)*
        };
    }
}

/// One hook of one field. Its range is the field's type, so that a type that is no dependency is told once.
fn hook(field: &FieldModel, name: &str, passed: TokenStream, k: &TokenStream) -> TokenStream {
    let (member, ty, place) = (&field.member, copied(&field.ty), Place::of(&field.ty));
    let span = place.first;
    let (k, name, passed) = (moved(k, span), Ident::new(name, span), place.parens(quote!(&self.#member, #passed)));
    quote_spanned!(span=> <#ty as #k::Dependency>::#name #passed)
}

/// One hook among those that all run, whatever the others do.
fn each(field: &FieldModel, name: &str, passed: TokenStream, k: &TokenStream) -> TokenStream {
    let (hook, place) = (hook(field, name, passed, k), Place::of(&field.ty));
    let (span, wait) = (place.first, place.wait());
    let (k, passed) = (moved(k, span), place.parens(quote!(so_far, #hook)));
    quote_spanned!(span=> let so_far = #k::each_hook #passed #wait;)
}

/// Offers all fields before it takes the first, so that what one field requires is another one with its options.
fn setup(model: &DependenciesModel, cx: &Ident, k: &TokenStream) -> TokenStream {
    let offers = model.fields.iter().enumerate().map(|(number, field)| {
        let (name, ty, place, made) = (field.name(), copied(&field.ty), Place::of(&field.ty), make_options(field, k));
        let (offer, span) = (offer(number), place.first);
        let (k, options) = (moved(k, span), Ident::new("options", hidden(field.span())));
        let passed = place.parens(quote!(#cx, #name, #options));
        // Before the offer, so that the first thing said of a type that is no dependency is just that.
        quote_spanned! {span=>
            #made
            let #offer = #k::SetupContext::offer::<#ty>#passed;
        }
    });
    let takes = model.fields.iter().enumerate().map(|(number, field)| {
        let (offer, member, ty, place) = (offer(number), &field.member, copied(&field.ty), Place::of(&field.ty));
        let (span, wait) = (place.first, place.wait());
        let (k, passed) = (moved(k, span), place.parens(quote!(#cx, #offer)));
        quote_spanned!(span=> #member: #k::SetupContext::take::<#ty>#passed #wait?,)
    });
    quote! {
        #(#offers)*
        ::core::result::Result::Ok(Self { #(#takes)* })
    }
}

fn offer(place: usize) -> Ident {
    format_ident!("offer{place}")
}

/// The options of one field: each is assigned to the provider's own, since the compiler knows which there are.
fn make_options(field: &FieldModel, k: &TokenStream) -> TokenStream {
    let options = Ident::new("options", hidden(field.span()));
    let set = field.options.iter().map(|option| options::set(&options, option, k));
    // They begin with what the client has, so they come last.
    let methods = field.methods.iter().map(|method| method_options(field, method, &options, k));
    let (ty, place) = (copied(&field.ty), Place::of(&field.ty));
    let (span, none) = (place.first, place.parens(TokenStream::new()));
    let is_changed = !field.options.is_empty() || !field.methods.is_empty();
    let (k, mutable) = (moved(k, span), is_changed.then(|| quote!(mut)));
    quote_spanned! {span=>
        let #mutable #options = <<#ty as #k::Dependency>::Options as ::core::default::Default>::default #none;
        #(#set)*
        #(#methods)*
    }
}

/// What is said of one method of a client. Its name is asked of the client, so that the compiler knows one that is close to a slip.
fn method_options(field: &FieldModel, arg: &MethodArg, options: &Ident, k: &TokenStream) -> TokenStream {
    let MethodArg { method, fallback, .. } = arg;
    let (ty, name, span) = (copied(&field.ty), method.unraw().to_string(), at(method.span()));
    let (own, m) = (Ident::new("method", hidden(method.span())), moved(k, span));
    let set = arg.options.iter().map(|option| options::set(&own, option, k));
    let fallback = fallback.as_ref().map(|fallback| {
        let (span, token) = (at(fallback.span()), client::method_of(method));
        quote_spanned!(span=> #own.fallback(<#ty>::#token, #fallback);)
    });
    let mut asked = method.clone();
    asked.set_span(span);
    quote_spanned! {span=>
        {
            let _ = <#ty>::#asked;
            let #own = #m::method_options(&mut #options, #name);
            #(#set)*
            #fallback
        }
    }
}

/// What each field says of the settings that it reads, with the default as it is written.
fn settings(model: &DependenciesModel, krate: &Crate) -> TokenStream {
    let Crate { root, private: k } = krate;
    let found = Ident::new("found", hidden(model.ident.span()));
    let fields = model.fields.iter().map(|field| {
        let (ty, place, made) = (copied(&field.ty), Place::of(&field.ty), make_options(field, k));
        let options = Ident::new("options", hidden(field.span()));
        let default = field.options.iter().find(|option| option.key == "default");
        let default = option(default.and_then(OptionArg::expression).map(written));
        let (k, passed) = (moved(k, place.first), place.parens(quote!(&mut #found, #options, #default)));
        let declare = quote_spanned!(place.first=> #k::declare_settings::<#ty>#passed;);
        quote!({ #made #declare })
    });
    quote! {
        fn settings() -> #root::Result<::std::vec::Vec<#k::SettingInfo>> {
            let mut #found = ::std::vec::Vec::new();
            #(#fields)*
            ::core::result::Result::Ok(#found)
        }
    }
}

/// A value as its programmer wrote it, without the quotes of a text.
fn written(value: &Expr) -> String {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => text.value(),
        other => spelled(other),
    }
}

/// Never run: there is an error beside it.
fn stub() -> TokenStream {
    quote!(::core::unreachable!())
}
