//! What makes a method idempotent: its worker runs once for each key, and the service's database is asked for at the start.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{
    descriptor::{duration, option},
    dispatch::Target,
};
use crate::{
    args::{IdempotentArgs, IdempotentStore},
    model::{MethodModel, ServiceModel},
    syntax::{at, copied, hidden, moved},
};

/// How a worker runs: `run_worker`, or `run_once`, where it remembers in a database.
///
/// `before` is what the body begins with, `outcome` what it ends with; `params` are the parameters of a method that is called.
pub(super) fn worker(
    method: &MethodModel,
    args: Option<&IdempotentArgs>,
    params: Option<TokenStream>,
    target: &Target<'_>,
    before: &TokenStream,
    outcome: &TokenStream,
    k: &TokenStream,
) -> TokenStream {
    let (span, Target { hooks, call, injects, dependencies, .. }) = (at(method.span()), target);
    let Some((args, memory)) = args.and_then(|args| Some((args, memory(args, injects, &quote!(&*#dependencies), k)?)))
    else {
        return quote_spanned! {span=>
            #k::run_worker(#hooks, &#call, ::core::pin::pin!(::core::option::Option::Some(async {
                #before
                #outcome
            }))).await
        };
    };
    let once = Ident::new("once", hidden(method.span()));
    let (params, window, required) = (option(params), duration(args.window), args.required);
    quote_spanned! {span=>
        let #once = #k::Once::new(#k::Idempotent { params: #params, window: #window, required: #required });
        #k::run_once(&#once, #memory, #hooks, &#call, async {
            #before
            #once.returned({ #outcome })
        }).await
    }
}

/// The one place that asks the service for its database: where `idempotent` is written. `None`: it remembers elsewhere.
fn memory(args: &IdempotentArgs, service: &TokenStream, value: &TokenStream, k: &TokenStream) -> Option<TokenStream> {
    let (span, store) = match &args.store {
        IdempotentStore::Process => return None,
        IdempotentStore::Database(None) => {
            let span = at(args.key.span());
            let k = moved(k, span);
            (span, quote_spanned!(span=> #k::Database<#k::Any>))
        }
        IdempotentStore::Database(Some(ty)) => (at(ty.span()), copied(ty)),
    };
    // The value's variables are of the generated code, and stay where they are.
    let (k, service) = (moved(k, span), moved(service, span));
    Some(quote_spanned!(span=> <#service as #k::Remembers<#store>>::memory(#value)))
}

/// `.prepared(…)` on a service's provider, where one of its methods remembers in a database.
pub(super) fn prepared(model: &ServiceModel, k: &TokenStream) -> Option<TokenStream> {
    let entrypoints = &model.entrypoints;
    let rpc = entrypoints.rpc.iter().map(|rpc| (&rpc.method, rpc.by.idempotent.as_ref()));
    let events = entrypoints.events.iter().map(|event| (&event.method, event.by.handling.idempotent.as_ref()));
    let consumers = entrypoints.consumers.iter().map(|queue| (&queue.method, queue.by.handling.idempotent.as_ref()));
    let self_ty = copied(&model.self_ty);
    let service = Ident::new("service", hidden(model.span()));
    let mut each = rpc.chain(events).chain(consumers).filter_map(|(method, args)| {
        let (cfgs, memory) = (&method.cfgs, memory(args?, &self_ty, &quote!(#service), k)?);
        Some(quote!(#(#cfgs)* { #k::prepare(#memory, cx).await?; }))
    });
    let first = each.next()?;
    Some(quote! {
        .prepared(|#service, cx| ::std::boxed::Box::pin(async move {
            #first
            #(#each)*
            ::core::result::Result::Ok(())
        }))
    })
}
