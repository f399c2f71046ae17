//! Methods that a gRPC call fires: the constant data, and the arm that takes the message, injects, calls and answers.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Path, Type, ext::IdentExt, spanned::Spanned};

use super::{
    arguments,
    descriptor::{duration, option, spelled},
    dispatch::{Target, call, inject, local, passed},
    entrypoints::First,
    guard,
    output::{slot, split},
};
use crate::{
    model::{GrpcModel, MethodModel, Output, is_short_result},
    syntax::{Place, at, copied, find_word, hidden, moved},
};

/// The name of the constant that holds a method's data.
pub(super) fn constant(grpc: &GrpcModel) -> Ident {
    format_ident!("__GRPC_{}", grpc.index)
}

/// `<Inventory>::check_stock()`: the method as the `.proto` file has it. Errors point to where it is named.
fn method(grpc: &GrpcModel) -> TokenStream {
    let (service, mut name) = (copied(&grpc.by.service), grpc.by.name.clone());
    let span = at(name.span());
    name.set_span(span);
    quote_spanned!(span=> <#service>::#name())
}

/// `const __GRPC_3: GrpcInfo = …;`
pub(super) fn info(grpc: &GrpcModel, first: First<'_>, k: &TokenStream) -> TokenStream {
    let (of, args, index) = (&grpc.method, &grpc.by.args, first.index(grpc.index));
    let (constant, cfgs, doc, name) = (constant(grpc), &of.cfgs, &of.doc, of.ident.unraw().to_string());
    let request = of.arguments().next().map_or_else(String::new, |param| spelled(&param.ty));
    let returns = match &of.output {
        Output::Result(result) => spelled(&result.ok),
        output => output.written().map_or_else(String::new, spelled),
    };
    let (timeout, max_workers) = (duration(args.timeout), option(args.max_workers));
    let (span, service, method) = (at(grpc.by.service.span()), copied(&grpc.by.service), method(grpc));
    let p = moved(k, span);
    let of_service = quote_spanned!(span=> <#service as #p::grpc::ProtoService>);
    quote! {
        #(#cfgs)*
        const #constant: #k::GrpcInfo = #k::GrpcInfo {
            index: #index,
            method: #name,
            doc: #doc,
            service: #of_service::NAME,
            path: #k::grpc::path(#method),
            streams: #k::grpc::streams(#method),
            request: #request,
            returns: #returns,
            timeout: #timeout,
            max_workers: #max_workers,
            descriptors: #of_service::DESCRIPTORS,
            serve: &#k::grpc::serve(#method),
        };
    }
}

/// Fails the build where the block's service has a method that nobody serves.
pub(super) fn complete(service: &Path, methods: &[GrpcModel], k: &TokenStream) -> TokenStream {
    let (span, ty) = (at(service.span()), copied(service));
    let k = moved(k, span);
    let served = methods.iter().filter(|grpc| grpc.by.is_of(service)).map(|grpc| {
        let (cfgs, name) = (&grpc.method.cfgs, grpc.by.name.unraw().to_string());
        quote!(#(#cfgs)* #name)
    });
    quote_spanned!(span=> const _: () = #k::grpc::assert_complete::<#ty>(&[#(#served),*]);)
}

/// The arm of one method.
pub(super) fn arm(grpc: &GrpcModel, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    let of = &grpc.method;
    let span = at(of.span());
    let k = &moved(k, span);
    let (index, cfgs) = (grpc.index, &of.cfgs);
    let Target { hooks, call: fired, .. } = target;
    let injected = of.params.iter().filter(|param| param.is_injected()).map(|param| inject(param, target, k));
    let (message, proto) = (Ident::new("message", hidden(of.span())), method(grpc));
    let typed = of.arguments().next().and_then(|param| {
        let (local, ty) = (local(param), slot(arguments::pass(param)?, &param.ty, k));
        let place = at(param.ty.span());
        // Another type than the file's is told there.
        let message = Ident::new("message", hidden(param.ty.span()));
        Some(quote_spanned!(place=> let #local: #ty = #message;))
    });
    // A method that takes nothing gets what says nothing.
    let typed = typed.unwrap_or_else(|| quote_spanned!(span=> let () = #message;));
    let passed = of.params.iter().map(|param| passed(param, k));
    let value = result(of, &call(of, target, passed), k);
    let place = of.output.written().map_or_else(|| Place::of(&of.ident), Place::of);
    // Another type than the file's is told at what is written.
    let reply = {
        let first = place.first;
        let value = place.parens(quote_spanned!(first=> value));
        let method = Ident::new("method", hidden(first));
        quote_spanned!(first=> #method.reply #value)
    };
    let kept = Ident::new("method", hidden(of.span()));
    let admit = guard::admit(of, target, k);
    quote_spanned! {span=>
        #(#cfgs)*
        #index => ::std::boxed::Box::pin(async move {
            #admit
            let #message = match #k::grpc::request(#proto, &#fired) {
                ::core::result::Result::Ok(message) => message,
                ::core::result::Result::Err(outcome) => return outcome,
            };
            #typed
            #k::run_worker(#hooks, &#fired, ::core::pin::pin!(::core::option::Option::Some(async {
                #(#injected)*
                let #kept = #proto;
                let value = #value;
                #reply
            }))).await
        }),
    }
}

/// The method's value as a `Result`. A stream is mostly written `impl Stream`, which no other type can name; and what cannot fail has no
/// type of errors to be guessed.
fn result(method: &MethodModel, value: &TokenStream, k: &TokenStream) -> TokenStream {
    let span = at(method.span());
    match &method.output {
        Output::Plain(_) | Output::Unknown(Type::ImplTrait(_)) => {
            quote_spanned!(span=> ::core::result::Result::<_, ::core::convert::Infallible>::Ok(#value))
        }
        Output::Unknown(written) if is_short_result(written) && find_word("impl", quote!(#written)).is_some() => {
            value.clone()
        }
        _ => split(method, value, k),
    }
}
