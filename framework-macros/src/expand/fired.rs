//! One arm for each method that a message or the clock fires: read, inject, call, settle.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{
    dispatch::{Target, call, inject, local},
    guard, idempotent,
    output::{Reply, split},
};
use crate::{
    args::{EventArg, IdempotentArgs},
    model::{ConsumerModel, EventHandlerModel, MethodModel, ParamKind, ParamModel, Pass, Payload, TimerModel},
    syntax::{Place, at, copied, hidden, moved},
};

pub(super) fn event_handler(handler: &EventHandlerModel, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    let event = match &handler.by.event {
        EventArg::Type(event) => Some(&**event),
        EventArg::Named { .. } | EventArg::None => None,
    };
    let payload = Payload::of(&handler.method, handler.by.handling.batch.is_some());
    let admit = guard::admit(&handler.method, target, k);
    arm(handler.index, &handler.method, admit, &payload, event, handler.by.handling.idempotent.as_ref(), target, k)
}

pub(super) fn consumer(consumer: &ConsumerModel, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    let payload = Payload::of(&consumer.method, consumer.by.handling.batch.is_some());
    let admit = guard::admit(&consumer.method, target, k);
    arm(consumer.index, &consumer.method, admit, &payload, None, consumer.by.handling.idempotent.as_ref(), target, k)
}

pub(super) fn timer(timer: &TimerModel, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    arm(timer.index, &timer.method, None, &Payload::Nothing, None, None, target, k)
}

#[allow(clippy::too_many_arguments, reason = "each is of one kind of entrypoint")]
fn arm(
    index: usize,
    method: &MethodModel,
    admit: Option<TokenStream>,
    payload: &Payload<'_>,
    event: Option<&Type>,
    idempotent: Option<&IdempotentArgs>,
    target: &Target<'_>,
    k: &TokenStream,
) -> TokenStream {
    let span = at(method.span());
    let k = &moved(k, span);
    let (cfgs, fired) = (&method.cfgs, target.call);
    let unread = Ident::new("unread", hidden(method.span()));
    let read = match payload {
        Payload::Nothing => TokenStream::new(),
        Payload::One(param) => {
            let (local, read) = (local(param), read(&param.ty, &decoded(param), event, "payload", fired, k));
            quote_spanned! {span=>
                let #local = match #read {
                    ::core::result::Result::Ok(payload) => payload,
                    ::core::result::Result::Err(outcome) => return outcome,
                };
            }
        }
        Payload::Batch { param, item } => {
            let (local, read) = (local(param), read(item, &copied(item), event, "payload_batch", fired, k));
            quote_spanned! {span=>
                let (#local, #unread) = match #read {
                    ::core::result::Result::Ok(batch) => (batch.payloads, batch.unread),
                    ::core::result::Result::Err(outcome) => return outcome,
                };
            }
        }
    };
    let injected = method.params.iter().filter(|param| param.is_injected()).map(|param| inject(param, target, k));
    let passed = method.params.iter().map(|param| passed(param, payload));
    let value = call(method, target, passed);
    let settled = match payload {
        Payload::Batch { .. } => settled_batch(method, &value, &unread, k),
        Payload::Nothing | Payload::One(_) => settled(method, &value, k),
    };
    let worker = idempotent::worker(method, idempotent, None, target, &quote!(#(#injected)*), &settled, k);
    quote_spanned! {span=>
        #(#cfgs)*
        #index => ::std::boxed::Box::pin(async move {
            #admit
            #read
            #worker
        }),
    }
}

/// What a payload is read as.
fn decoded(param: &ParamModel) -> TokenStream {
    let span = at(param.ty.span());
    match &param.kind {
        ParamKind::Argument { pass: Pass::Text, .. } => quote_spanned!(span=> ::std::string::String),
        ParamKind::Argument { pass: Pass::Slice(item), .. } => {
            let item = copied(item);
            quote_spanned!(span=> ::std::vec::Vec<#item>)
        }
        ParamKind::Argument { pass: Pass::Reference(inner), .. } => copied(inner),
        ParamKind::Argument { pass: Pass::Value, .. } | ParamKind::Inject | ParamKind::Extract => copied(&param.ty),
    }
}

/// The one place that asks a payload's type to be readable: where it is written.
fn read(
    written: impl quote::ToTokens,
    ty: &TokenStream,
    event: Option<&Type>,
    function: &str,
    call: &Ident,
    k: &TokenStream,
) -> TokenStream {
    let place = Place::of(&written);
    let (span, passed) = (place.first, place.parens(quote!(&#call)));
    let (k, function) = (moved(k, span), Ident::new(function, span));
    match event.map(copied) {
        Some(event) => quote_spanned!(span=> #k::Handled::<#event>::#function::<#ty>#passed),
        None => quote_spanned!(span=> #k::#function::<#ty>#passed),
    }
}

fn passed(param: &ParamModel, payload: &Payload<'_>) -> TokenStream {
    let (local, span) = (local(param), at(param.ty.span()));
    match (&param.kind, payload) {
        (ParamKind::Inject | ParamKind::Extract | ParamKind::Argument { pass: Pass::Value, .. }, _) => {
            quote_spanned!(span=> #local)
        }
        (ParamKind::Argument { pass: Pass::Text | Pass::Slice(_), .. }, _) => quote_spanned!(span=> &*#local),
        (ParamKind::Argument { pass: Pass::Reference(_), .. }, _) => quote_spanned!(span=> &#local),
    }
}

/// The one place that asks the types of what a method returns: at the written types.
fn settled(method: &MethodModel, value: &TokenStream, k: &TokenStream) -> TokenStream {
    let span = at(method.span());
    let (Reply { ok, err, .. }, value) = (Reply::of(method, k), split(method, value, k));
    quote_spanned! {span=>
        let value = #value;
        #k::settled::<#ok, #err>(value)
    }
}

fn settled_batch(method: &MethodModel, value: &TokenStream, unread: &Ident, k: &TokenStream) -> TokenStream {
    let span = at(method.span());
    let written = method.output.written().map_or_else(|| quote_spanned!(span=> ()), copied);
    let place = method.output.written().map_or_else(|| Place::of(&method.ident), Place::of);
    let (k, passed) = (moved(k, place.first), place.parens(quote!(#unread, value)));
    let settle = quote_spanned!(place.first=> #k::settled_batch::<#written>#passed);
    quote_spanned! {span=>
        let value = #value;
        #settle
    }
}
