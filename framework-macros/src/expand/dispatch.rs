//! One arm for each method: decode, inject, call, answer.

use std::rc::Rc;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Path, ext::IdentExt, spanned::Spanned};

use super::{
    arguments, fired, grpc, guard, http, idempotent,
    output::{Reply, split},
};
use crate::{
    model::{Access, Entrypoints, MethodModel, ParamKind, ParamModel, Pass, RpcModel},
    syntax::{Place, at, copied, hidden, moved},
};

/// What the arms run on.
pub(super) struct Target<'a> {
    /// The path in front of the method's name: `Orders`, or `<Self as Inventory>`.
    pub(super) callee: TokenStream,
    /// The type that `#[inject]` asks.
    pub(super) injects: TokenStream,
    /// Whose hooks run: a reference to something with `Dependencies`.
    pub(super) hooks: TokenStream,
    /// A variable of type `Arc`: whose methods are called.
    pub(super) service: &'a Ident,
    /// A variable of type `Arc<injects>`.
    pub(super) dependencies: &'a Ident,
    /// The variable of the call.
    pub(super) call: &'a Ident,
    /// What the block says of who may call; `None`: nobody asks here.
    pub(super) access: Option<Option<&'a Access>>,
}

/// The structs of arguments, and the `match` over the call's index.
pub(super) fn expand(
    structs: impl Iterator<Item = TokenStream>,
    arms: impl Iterator<Item = TokenStream>,
    target: &Target<'_>,
    k: &TokenStream,
) -> TokenStream {
    let call = target.call;
    quote! {
        #(#structs)*
        match #call.index {
            #(#arms)*
            _ => #k::no_such_method(#call),
        }
    }
}

/// The structs that these methods' arguments are decoded into.
pub(super) fn structs<'a>(
    methods: impl Iterator<Item = &'a Rc<MethodModel>>,
    k: &TokenStream,
) -> impl Iterator<Item = TokenStream> {
    methods.map(|method| arguments::expand(method, k))
}

pub(super) fn rpc_arms(rpc: &[RpcModel], target: &Target<'_>, k: &TokenStream) -> impl Iterator<Item = TokenStream> {
    rpc.iter().map(|rpc| arm(rpc, target, k))
}

/// Those that something else than an RPC fires.
pub(super) fn other_arms(
    entrypoints: &Entrypoints,
    target: &Target<'_>,
    k: &TokenStream,
) -> impl Iterator<Item = TokenStream> {
    let events = entrypoints.events.iter().map(|handler| fired::event_handler(handler, target, k));
    let consumers = entrypoints.consumers.iter().map(|consumer| fired::consumer(consumer, target, k));
    let timers = entrypoints.timers.iter().map(|timer| fired::timer(timer, target, k));
    let sockets = entrypoints.sockets.iter().map(|socket| arm(socket, target, k));
    let routes = entrypoints.routes.iter().map(|route| http::arm(route, target, k));
    let grpc = entrypoints.grpc.iter().map(|method| grpc::arm(method, target, k));
    events.chain(consumers).chain(timers).chain(sockets).chain(routes).chain(grpc)
}

fn arm(rpc: &RpcModel, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    let method = &rpc.method;
    let span = at(method.span());
    let k = &moved(k, span);
    let (index, cfgs) = (rpc.index, &method.cfgs);
    let arguments_struct = arguments::name(method);
    let call = target.call;
    let args = Ident::new("args", hidden(method.span()));
    let Parameters { injected, decoded, passed } = Parameters::of(method, target, &args, k);
    let answer = answer(rpc, &self::call(method, target, passed.into_iter()), call, k);
    let before = quote_spanned!(span=> #(#injected)* #(#decoded)*);
    let params = quote_spanned!(span=> <#arguments_struct<'_> as #k::Args<'_>>::PARAMS);
    let idempotent = rpc.by.idempotent.as_ref();
    let admit = guard::admit(method, target, k);
    let worker = idempotent::worker(method, idempotent, Some(params), target, &before, &answer, k);
    quote_spanned! {span=>
        #(#cfgs)*
        #index => ::std::boxed::Box::pin(async move {
            #admit
            let #args = match #k::arguments::<#arguments_struct<'_>>(&#call) {
                ::core::result::Result::Ok(args) => args,
                ::core::result::Result::Err(outcome) => return outcome,
            };
            #worker
        }),
    }
}

/// What comes before a method's call, and what is passed to it.
pub(super) struct Parameters {
    pub(super) injected: Vec<TokenStream>,
    pub(super) decoded: Vec<TokenStream>,
    pub(super) passed: Vec<TokenStream>,
}

impl Parameters {
    pub(super) fn of(method: &MethodModel, target: &Target<'_>, args: &Ident, k: &TokenStream) -> Self {
        let injected = method.params.iter().filter(|param| param.is_injected());
        Self {
            injected: injected.map(|param| inject(param, target, k)).collect(),
            decoded: method.arguments().enumerate().map(|(place, param)| decoded(param, place, args, k)).collect(),
            passed: method.params.iter().map(|param| passed(param, k)).collect(),
        }
    }
}

/// The method's value.
pub(super) fn call(
    method: &MethodModel,
    target: &Target<'_>,
    passed: impl Iterator<Item = TokenStream>,
) -> TokenStream {
    let span = at(method.span());
    let Target { callee, service, .. } = target;
    let mut name = method.ident.clone();
    name.set_span(span);
    let wait = method.is_async.then(|| quote_spanned!(span=> .await));
    let callee = moved(callee, span);
    quote_spanned!(span=> #callee::#name(&*#service #(, #passed)*) #wait)
}

/// The only place that asks the types of the reply to travel: at the written types.
fn answer(rpc: &RpcModel, value: &TokenStream, call: &Ident, k: &TokenStream) -> TokenStream {
    let method = &rpc.method;
    let span = at(method.span());
    let (Reply { ok, err, .. }, value) = (Reply::of(method, k), split(method, value, k));
    let expected = expected(&rpc.by.expected, &err);
    quote_spanned! {span=>
        let value = #value;
        #k::answer::<#ok, #err>(&#call, value, #expected)
    }
}

/// The variable that holds a parameter. Prefixed: a parameter may be called `service` or `call`, as variables here are.
pub(super) fn local(param: &ParamModel) -> Ident {
    format_ident!("param_{}", param.ident.unraw(), span = hidden(param.ident.span()))
}

pub(super) fn inject(param: &ParamModel, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    let (local, ty, place) = (local(param), copied(&param.ty), Place::of(&param.ty));
    let (span, wait) = (place.first, place.wait());
    let k = &moved(k, span);
    let Target { injects, dependencies, call, .. } = target;
    let (injects, passed) = (moved(injects, span), place.parens(quote!(&*#dependencies, &#call.context)));
    quote_spanned! {span=>
        let #local = match #k::inject::<#injects, #ty>#passed #wait {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(fault) => return #k::unexpected(fault),
        };
    }
}

fn decoded(param: &ParamModel, place: usize, args: &Ident, k: &TokenStream) -> TokenStream {
    let (local, slot) = (local(param), arguments::field(place));
    let ParamKind::Argument { optional, default, .. } = &param.kind else { return TokenStream::new() };
    let span = hidden(param.ident.span());
    match default {
        Some(default) => {
            let at_value = at(default.span());
            let k = moved(k, at_value);
            let default = quote_spanned!(at_value=> #k::default_argument(#default));
            let value = format_ident!("value", span = span);
            quote_spanned! {span=>
                let #local = match #args.#slot {
                    ::core::option::Option::Some(#value) => #value,
                    ::core::option::Option::None => #default,
                };
            }
        }
        None if *optional => quote_spanned!(span=> let #local = ::core::option::Option::flatten(#args.#slot);),
        None => quote_spanned! {span=>
            let #local = ::core::option::Option::expect(#args.#slot, "required arguments are decoded");
        },
    }
}

pub(super) fn passed(param: &ParamModel, k: &TokenStream) -> TokenStream {
    let (local, span) = (local(param), at(param.ty.span()));
    let k = &moved(k, span);
    match arguments::pass(param) {
        None | Some(Pass::Value) => quote_spanned!(span=> #local),
        Some(Pass::Text) => quote_spanned!(span=> #k::Text::as_str(&#local)),
        Some(Pass::Slice(_)) => quote_spanned!(span=> &*#local),
        Some(Pass::Reference(_)) => quote_spanned!(span=> &#local),
    }
}

/// A function that tells expected errors.
fn expected(variants: &[Path], err: &TokenStream) -> TokenStream {
    if variants.is_empty() {
        return quote!(|_| false);
    }
    let patterns = variants.iter().map(|variant| {
        let span = at(variant.span());
        let variant = copied(variant);
        // The error type itself stands for all its values.
        if variant.to_string() == err.to_string() {
            quote_spanned!(span=> _)
        } else {
            quote_spanned!(span=> #variant { .. })
        }
    });
    quote! {
        |error| {
            #[allow(unreachable_patterns, clippy::match_like_matches_macro)]
            match error {
                #(#patterns)|* => true,
                _ => false,
            }
        }
    }
}
