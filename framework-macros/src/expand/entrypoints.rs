//! The constant data of methods that a message or the clock fires.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::descriptor::{duration, option, shape, spelled, time};
use crate::{
    args::{EventArg, ExchangeKind, HandlingArgs, IdempotentArgs, IdempotentStore, Kind, RetryArgs, ScheduleArg},
    model::{ConsumerModel, EventHandlerModel, MethodModel, Payload, TimerModel},
    syntax::{at, copied, moved},
};

/// Where these entrypoints' indices start: after those of a contract's trait that the service serves.
#[derive(Clone, Copy)]
pub(super) struct First<'a>(pub(super) Option<&'a TokenStream>);

impl First<'_> {
    pub(super) fn index(self, index: usize) -> TokenStream {
        match self.0 {
            Some(first) => quote!(#first + #index),
            None => quote!(#index),
        }
    }
}

/// `EventHandlerInfo { … }`
pub(super) fn event_handler(handler: &EventHandlerModel, first: First<'_>, k: &TokenStream) -> TokenStream {
    let (method, args, index) = (&handler.method, &handler.by, first.index(handler.index));
    let (cfgs, doc, name) = (&method.cfgs, &method.doc, args.method_name(&method.ident));
    let kind = match args.kind {
        Kind::ServicePool => quote!(ServicePool),
        Kind::Singleton => quote!(Singleton),
        Kind::Broadcast => quote!(Broadcast),
    };
    let (events, payload, handling) = (events(&args.event, k), payload(method), handling(&args.handling, k));
    let shape = payload_shape(method, args.handling.batch.is_some(), k);
    let reliable = args.reliable;
    quote! {
        #(#cfgs)*
        #k::EventHandlerInfo {
            index: #index,
            method: #name,
            doc: #doc,
            events: #events,
            payload: #payload,
            shape: #shape,
            kind: #k::HandlerKind::#kind,
            reliable: #reliable,
            handling: #handling,
        }
    }
}

/// `ConsumerInfo { … }`
pub(super) fn consumer(consumer: &ConsumerModel, first: First<'_>, k: &TokenStream) -> TokenStream {
    let (method, args, index) = (&consumer.method, &consumer.by, first.index(consumer.index));
    let (cfgs, doc, name) = (&method.cfgs, &method.doc, syn::ext::IdentExt::unraw(&method.ident).to_string());
    let (queue, declare) = (&args.queue, args.declare);
    let bind = option(args.bind.as_ref().map(|bind| {
        let (exchange, routing_key) = (&bind.exchange, &bind.routing_key);
        let kind = match bind.kind {
            ExchangeKind::Direct => quote!(Direct),
            ExchangeKind::Topic => quote!(Topic),
            ExchangeKind::Fanout => quote!(Fanout),
            ExchangeKind::Headers => quote!(Headers),
        };
        quote!(#k::BindInfo { exchange: #exchange, kind: #k::ExchangeKind::#kind, routing_key: #routing_key })
    }));
    let (payload, handling) = (payload(method), handling(&args.handling, k));
    let shape = payload_shape(method, args.handling.batch.is_some(), k);
    quote! {
        #(#cfgs)*
        #k::ConsumerInfo {
            index: #index,
            method: #name,
            doc: #doc,
            queue: #queue,
            bind: #bind,
            declare: #declare,
            payload: #payload,
            shape: #shape,
            handling: #handling,
        }
    }
}

/// `TimerInfo { … }`
pub(super) fn timer(timer: &TimerModel, first: First<'_>, k: &TokenStream) -> TokenStream {
    let (method, args, index) = (&timer.method, &timer.by, first.index(timer.index));
    let (cfgs, doc, name) = (&method.cfgs, &method.doc, syn::ext::IdentExt::unraw(&method.ident).to_string());
    let schedule = match &args.schedule {
        Some(ScheduleArg::Cron { expression, zone }) => {
            quote!(#k::Schedule::Cron { expression: #expression, zone: #zone })
        }
        Some(ScheduleArg::Every(every)) => {
            let every = time(*every);
            quote!(#k::Schedule::Every(#every))
        }
        // There is an error beside it.
        None => quote!(#k::Schedule::Every(::core::time::Duration::MAX)),
    };
    let (eager, once_per_fleet, timeout) = (args.eager, args.once_per_fleet, duration(args.timeout));
    quote! {
        #(#cfgs)*
        #k::TimerInfo {
            index: #index,
            method: #name,
            doc: #doc,
            schedule: #schedule,
            eager: #eager,
            once_per_fleet: #once_per_fleet,
            timeout: #timeout,
        }
    }
}

fn payload(method: &MethodModel) -> String {
    method.arguments().next().map_or_else(String::new, |param| spelled(&param.ty))
}

/// What one message carries.
fn payload_shape(method: &MethodModel, is_batch: bool, k: &TokenStream) -> TokenStream {
    option(match Payload::of(method, is_batch) {
        Payload::Nothing => None,
        Payload::One(param) => Some(shape(&param.ty, k)),
        Payload::Batch { item, .. } => Some(shape(item, k)),
    })
}

/// `&[EventName { … }]`
pub(super) fn events(event: &EventArg, k: &TokenStream) -> TokenStream {
    match event {
        EventArg::Type(ty) => of_set(ty, "EVENTS", k),
        EventArg::Named { source, name } => quote!(&[#k::EventName { source: #source, name: #name }]),
        EventArg::None => quote!(&[]),
    }
}

/// Fails the build where the event's body is known not to have the field that it is ordered by.
pub(super) fn ordered_by(handler: &EventHandlerModel, k: &TokenStream) -> TokenStream {
    let (EventArg::Type(event), Some(path)) = (&handler.by.event, &handler.by.handling.ordered_by) else {
        return TokenStream::new();
    };
    let (span, value) = (at(path.span()), path.value());
    let field = value.split('.').next().unwrap_or_default();
    let text = format!(
        "the event's body has no field `{field}`: `ordered_by` names one as it is sent, after serde's renaming"
    );
    let (fields, k) = (of_set(event, "FIELDS", k), moved(k, span));
    let cfgs = &handler.method.cfgs;
    quote_spanned!(span=> #(#cfgs)* const _: () = #k::assert_field(#fields, #field, #text);)
}

/// `<E as EventSet>::EVENTS`: where a type is asked to be an event.
fn of_set(event: &Type, constant: &str, k: &TokenStream) -> TokenStream {
    let (span, ty) = (at(event.span()), copied(event));
    let (k, constant) = (moved(k, span), Ident::new(constant, span));
    quote_spanned!(span=> <#ty as #k::EventSet>::#constant)
}

fn handling(args: &HandlingArgs, k: &TokenStream) -> TokenStream {
    let batch = option(args.batch.as_ref().map(|(_, size)| {
        let within = args.within.map_or_else(|| quote!(#k::BatchInfo::WITHIN), time);
        quote!(#k::BatchInfo { size: #size, within: #within })
    }));
    let idempotent = option(args.idempotent.as_ref().map(|IdempotentArgs { store, window, .. }| {
        let window = duration(*window);
        let store = match store {
            IdempotentStore::Database(_) => quote!(Database),
            IdempotentStore::Process => quote!(Process),
        };
        quote!(#k::IdempotencyInfo { store: #k::IdempotencyStore::#store, window: #window })
    }));
    let ordered_by = option(args.ordered_by.as_ref());
    let (retry, concurrency, timeout) = (retry(&args.retry, k), option(args.concurrency), duration(args.timeout));
    quote! {
        #k::HandlingInfo {
            retry: #retry,
            concurrency: #concurrency,
            batch: #batch,
            ordered_by: #ordered_by,
            idempotent: #idempotent,
            timeout: #timeout,
        }
    }
}

fn retry(args: &RetryArgs, k: &TokenStream) -> TokenStream {
    let attempts = match args.max {
        Some(max) => Some(quote!(attempts: ::core::option::Option::Some(#max),)),
        None if args.without_end => Some(quote!(attempts: ::core::option::Option::None,)),
        None => None,
    };
    let backoff = args.backoff.map(|(first, longest): (Duration, Duration)| {
        let (first, longest) = (time(first), time(longest));
        quote!(first: #first, longest: #longest,)
    });
    let jitter = args.jitter.map(|jitter| quote!(jitter: #jitter,));
    quote!(#k::RetryPolicy { #attempts #backoff #jitter ..#k::RetryPolicy::DEFAULT })
}
