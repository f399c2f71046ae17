//! `#[derive(ServiceError)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::DeriveInput;

use super::{Crate, descriptor::option};
use crate::{
    model::{ErrorField, ErrorKind, ErrorModel, FieldNames, VariantModel},
    syntax::{Place, at, copied, moved},
};

pub(crate) fn expand(model: &ErrorModel, input: &DeriveInput, broken: bool) -> TokenStream {
    let krate = Crate::new(&model.krate);
    let k = &krate.private;
    let ident = &model.ident;
    if !input.generics.params.is_empty() || matches!(input.data, syn::Data::Union(_)) {
        return TokenStream::new();
    }
    let (impl_generics, type_generics, clause) = input.generics.split_for_impl();
    let (to_fault, from_fault) =
        if broken { (quote!(::core::unreachable!()), quote!(::core::unreachable!())) } else { bodies(model, k) };
    let variants = model.variants.iter().filter(|_| !broken).map(|variant| described(variant, k));
    let certainty = (!broken).then(|| certainty(model, k));
    quote! {
        #[allow(deprecated, unused_variables, unreachable_code, clippy::all, clippy::pedantic)]
        const _: () = {
            #[automatically_derived]
            impl #impl_generics #k::ServiceError for #ident #type_generics #clause {
                fn to_fault(&self) -> #k::Fault {
                    use #k::NoCauses as _;
                    #k::Causes::<Self>::add(#to_fault, self)
                }

                fn from_fault(fault: &#k::Fault) -> ::core::option::Option<Self> {
                    #from_fault
                }

                const VARIANTS: &'static [#k::VariantInfo] = &[#(#variants),*];

                #certainty
            }

            #[automatically_derived]
            impl #impl_generics ::core::convert::From<#ident #type_generics> for #k::Verdict #clause {
                fn from(error: #ident #type_generics) -> Self {
                    #k::verdict(&error)
                }
            }
        };
    }
}

fn bodies(model: &ErrorModel, k: &TokenStream) -> (TokenStream, TokenStream) {
    let arms = model.variants.iter().map(|variant| to_fault(variant, k));
    let to_fault = if model.variants.is_empty() { quote!(match *self {}) } else { quote!(match self { #(#arms)* }) };
    let known = model.variants.iter().filter_map(|variant| from_data(variant, k));
    let raised = model.variants.iter().filter_map(|variant| from_python(variant, k));
    let forwarded = model.variants.iter().filter_map(|variant| from_forwarded(variant, k));
    let from_fault = quote! {
        match ::core::option::Option::as_deref(&fault.code) {
            #(#known)*
            _ => {}
        }
        #(#raised)*
        #(#forwarded)*
        ::core::option::Option::None
    };
    (to_fault, from_fault)
}

/// `Self::Variant`, or `Self` for a struct.
fn path(variant: &VariantModel) -> TokenStream {
    let span = at(variant.span);
    match &variant.ident {
        Some(ident) => {
            let ident = copied(ident);
            quote_spanned!(span=> Self::#ident)
        }
        None => quote_spanned!(span=> Self),
    }
}

fn local(place: usize) -> Ident {
    format_ident!("__field{place}")
}

fn to_fault(variant: &VariantModel, k: &TokenStream) -> TokenStream {
    let (path, name, span) = (path(variant), &variant.name, at(variant.span));
    let p = moved(k, span);
    match &variant.kind {
        ErrorKind::Internal => {
            quote_spanned!(span=> #path { .. } => #p::internal_variant(#name, self),)
        }
        ErrorKind::Forward => {
            let Some(field) = variant.fields.first() else { return TokenStream::new() };
            let (member, forward) = (&field.member, forward(field, k));
            quote_spanned!(span=> #path { #member: inner } => (#forward.to_fault)(inner),)
        }
        ErrorKind::Data { .. } => {
            let bound = variant.fields.iter().enumerate().map(|(place, field)| {
                let (member, local) = (&field.member, local(place));
                quote!(#member: #local)
            });
            let inserts = variant.fields.iter().enumerate().map(|(place, field)| {
                let (key, local, travel) = (field.key(), local(place), travel(field, k));
                quote!(#k::Map::insert(&mut data, ::std::borrow::ToOwned::to_owned(#key), (#travel.to_value)(#local));)
            });
            let data = if variant.names == FieldNames::Unit {
                quote!(::core::option::Option::None)
            } else {
                quote! {{
                    let mut data = #k::Map::new();
                    #(#inserts)*
                    ::core::option::Option::Some(data)
                }}
            };
            let meta = meta(variant, k);
            quote_spanned! {span=>
                #path { #(#bound),* } => {
                    const META: #k::FaultMeta = #meta;
                    let data = #data;
                    #p::variant(&META, self, data)
                }
            }
        }
    }
}

/// What each variant says of whether the work was done. Where all say that it was not, the trait says so itself.
fn certainty(model: &ErrorModel, k: &TokenStream) -> Option<TokenStream> {
    let calls_out = model.variants.iter().any(|variant| matches!(variant.kind, ErrorKind::Forward));
    let arms: Vec<_> = model
        .variants
        .iter()
        .filter_map(|variant| {
            let (path, span) = (path(variant), at(variant.span));
            let k = moved(k, span);
            match variant.kind {
                ErrorKind::Internal => Some(quote_spanned!(span=> #path { .. } => #k::Certainty::Unknown,)),
                ErrorKind::Forward => {
                    let field = variant.fields.first()?;
                    let (member, forward) = (&field.member, forward(field, &k));
                    Some(quote_spanned!(span=> #path { #member: inner } => (#forward.certainty)(inner),))
                }
                ErrorKind::Data { .. } => None,
            }
        })
        .collect();
    (!arms.is_empty()).then(|| {
        quote! {
            const CALLS_OUT: ::core::primitive::bool = #calls_out;

            #[allow(unreachable_patterns)]
            fn certainty(&self) -> #k::Certainty {
                match self {
                    #(#arms)*
                    _ => #k::Certainty::Refused,
                }
            }
        }
    })
}

/// `FaultMeta { … }` of a variant that travels.
fn meta(variant: &VariantModel, k: &TokenStream) -> TokenStream {
    let ErrorKind::Data { code, http, grpc, retry, path: python, .. } = &variant.kind else {
        return TokenStream::new();
    };
    let name = &variant.name;
    let exc_args = python.iter().flat_map(|_| variant.fields.iter().map(ErrorField::key));
    let exc_args = quote!(&[#(#exc_args),*]);
    let python = python_path(variant, python.as_ref(), k);
    let (http, grpc, retry) = (option(*http), option(grpc.as_ref()), option(*retry));
    quote! {
        #k::FaultMeta {
            exc_type: #name,
            exc_path: #python,
            exc_args: #exc_args,
            code: #code,
            http: #http,
            grpc: #grpc,
            retry: #retry,
        }
    }
}

/// `VariantInfo`: what documents say.
fn described(variant: &VariantModel, k: &TokenStream) -> TokenStream {
    match &variant.kind {
        ErrorKind::Internal => quote!(#k::VariantInfo::Internal),
        ErrorKind::Forward => match variant.fields.first() {
            Some(field) => {
                let forward = forward(field, k);
                quote!(#k::VariantInfo::Forwarded(#forward.variants))
            }
            None => quote!(#k::VariantInfo::Internal),
        },
        ErrorKind::Data { .. } => {
            let (meta, doc) = (meta(variant, k), &variant.doc);
            let fields = variant.fields.iter().map(|field| {
                let (key, ty) = (field.key(), copied(&field.ty));
                quote!((#key, #k::shape!(#ty)))
            });
            quote!(#k::VariantInfo::Own { meta: #meta, doc: #doc, fields: &[#(#fields),*] })
        }
    }
}

/// What is written, or the module's path with dots and the variant's name: computed while compiling.
fn python_path(variant: &VariantModel, written: Option<&String>, k: &TokenStream) -> TokenStream {
    if let Some(written) = written {
        return quote!(#written);
    }
    let name = format!("::{}", variant.name);
    quote! {{
        const RUST: &str = ::core::concat!(::core::module_path!(), #name);
        const DOTTED: [u8; #k::dotted_len(RUST)] = #k::dotted(RUST);
        #k::dotted_str(&DOTTED)
    }}
}

/// Where a field's type is asked to travel: at the field, with one error for both directions.
fn travel(field: &ErrorField, k: &TokenStream) -> TokenStream {
    let (ty, place) = (copied(&field.ty), Place::of(&field.ty));
    let (span, none) = (place.first, place.parens(TokenStream::new()));
    let k = moved(k, span);
    quote_spanned!(span=> #k::travel::<#ty>#none)
}

/// The same for a field that is another service's error.
fn forward(field: &ErrorField, k: &TokenStream) -> TokenStream {
    let (ty, place) = (copied(&field.ty), Place::of(&field.ty));
    let (span, none) = (place.first, place.parens(TokenStream::new()));
    let k = moved(k, span);
    quote_spanned!(span=> #k::forward::<#ty>#none)
}

fn from_data(variant: &VariantModel, k: &TokenStream) -> Option<TokenStream> {
    let ErrorKind::Data { code, .. } = &variant.kind else { return None };
    let (path, span) = (path(variant), at(variant.span));
    let fields = variant.fields.iter().map(|field| {
        let (member, key, travel) = (&field.member, field.key(), travel(field, k));
        quote!(#member: (#travel.from_data)(fault.data.as_ref(), #key)?)
    });
    Some(quote_spanned! {span=>
        ::core::option::Option::Some(#code) => return ::core::option::Option::Some(#path { #(#fields),* }),
    })
}

/// An exception that a Python service raised: it has no code, and its arguments are the fields in order.
fn from_python(variant: &VariantModel, k: &TokenStream) -> Option<TokenStream> {
    let ErrorKind::Data { path: Some(python), .. } = &variant.kind else { return None };
    let (path, span) = (path(variant), at(variant.span));
    let fields = variant.fields.iter().enumerate().map(|(place, field)| {
        let (member, travel) = (&field.member, travel(field, k));
        quote!(#member: (#travel.from_python)(&args[#place])?)
    });
    let count = variant.fields.len();
    let p = moved(k, span);
    Some(quote_spanned! {span=>
        if let ::core::option::Option::Some(args) = #p::raised(fault, #python, #count) {
            let read = || ::core::option::Option::Some(#path { #(#fields),* });
            if let ::core::option::Option::Some(error) = read() {
                return ::core::option::Option::Some(error);
            }
        }
    })
}

fn from_forwarded(variant: &VariantModel, k: &TokenStream) -> Option<TokenStream> {
    let ErrorKind::Forward = variant.kind else { return None };
    let (path, span) = (path(variant), at(variant.span));
    let field = variant.fields.first()?;
    let (member, forward) = (&field.member, forward(field, k));
    Some(quote_spanned! {span=>
        if let ::core::option::Option::Some(inner) = (#forward.from_fault)(fault) {
            return ::core::option::Option::Some(#path { #member: inner });
        }
    })
}
