//! The two halves of a return type, in code.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::{
    Type, parse_quote_spanned,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

use crate::{
    model::{MethodModel, Output, Pass, ungrouped},
    syntax::{at, copied, moved},
};

/// Types of one method's reply.
pub(super) struct Reply {
    /// What the method gives.
    pub(super) ok: TokenStream,
    /// What a caller gets: owned.
    pub(super) received: TokenStream,
    pub(super) err: TokenStream,
}

impl Reply {
    pub(super) fn of(method: &MethodModel, k: &TokenStream) -> Self {
        let span = at(method.output.written().map_or(method.ident.span(), Spanned::span));
        match &method.output {
            Output::Plain(written) => {
                let ok = written.as_ref().map_or_else(|| quote_spanned!(span=> ()), copied);
                let received = written.as_ref().map_or_else(|| ok.clone(), owned);
                Self { ok, received, err: quote_spanned!(span=> ::core::convert::Infallible) }
            }
            Output::Result(result) => {
                Self { ok: copied(&result.ok), received: owned(&result.ok), err: copied(&result.err) }
            }
            Output::Unknown(written) => {
                let parts = parts(written, k);
                let ok = quote_spanned!(span=> <#parts>::Ok);
                let held = held(written);
                let received = self::parts(&held, k);
                let received = quote_spanned!(span=> <#received>::Ok);
                Self { received, ok, err: quote_spanned!(span=> <#parts>::Err) }
            }
        }
    }
}

/// `R as Parts<…>`: asks the compiler whether `R` is a `Result`. See `kinoko::service::Probe`.
fn parts(written: &Type, k: &TokenStream) -> TokenStream {
    let span = at(written.span());
    let (k, written) = (&moved(k, span), copied(written));
    quote_spanned! {span=>
        #written as #k::Parts<{ #[allow(unused_imports)] use #k::NotResult as _; #k::Probe::<#written>::IS_RESULT }>
    }
}

/// The method's value as a `Result`.
pub(super) fn split(method: &MethodModel, value: &TokenStream, k: &TokenStream) -> TokenStream {
    let span = at(method.span());
    match &method.output {
        Output::Plain(_) => quote_spanned!(span=> ::core::result::Result::Ok(#value)),
        Output::Result(_) => value.clone(),
        Output::Unknown(written) => {
            let parts = parts(written, k);
            quote_spanned!(span=> <#parts>::split(#value))
        }
    }
}

/// What a caller can hold: borrows become owned types, also those inside.
fn owned(ty: &Type) -> TokenStream {
    copied(held(ty))
}

pub(super) fn held(ty: &Type) -> Type {
    let mut ty = ty.clone();
    Held.visit_type_mut(&mut ty);
    ty
}

struct Held;

impl VisitMut for Held {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Reference(reference) = ty {
            let span = at(reference.span());
            *ty = match ungrouped(&reference.elem) {
                Type::Path(path) if path.path.is_ident("str") => parse_quote_spanned!(span=> ::std::string::String),
                Type::Slice(slice) => {
                    let item = &slice.elem;
                    parse_quote_spanned!(span=> ::std::vec::Vec<#item>)
                }
                other => other.clone(),
            };
            return self.visit_type_mut(ty);
        }
        visit_mut::visit_type_mut(self, ty);
    }
}

/// What a parameter decodes to.
pub(super) fn slot(pass: &Pass, ty: &Type, k: &TokenStream) -> TokenStream {
    let span = at(ty.span());
    let k = &moved(k, span);
    match pass {
        Pass::Value => copied(ty),
        Pass::Text => quote_spanned!(span=> #k::Text<'de>),
        Pass::Slice(item) => {
            let item = copied(item);
            quote_spanned!(span=> ::std::vec::Vec<#item>)
        }
        Pass::Reference(inner) => copied(inner),
    }
}
