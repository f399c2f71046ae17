//! `#[saga]`: the steps, as a runner takes them.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{
    Crate,
    descriptor::{duration, option, time},
    output::{Reply, split},
};
use crate::{
    model::{From, Output, SagaModel, Source, StepModel},
    syntax::{at, copied, hidden, moved, spelled},
};

pub(crate) fn expand(model: &SagaModel) -> TokenStream {
    let krate = Crate::new(&model.args.krate);
    let k = &krate.private;
    let (self_ty, input) = (copied(&model.self_ty), copied(&model.input));
    let steps = model.steps.iter().map(|step| info(step, k));
    let (name, doc, version) = (&model.args.name, &model.doc, model.args.version);
    let (timeout, written) = (duration(model.args.timeout), spelled(&model.input));
    let output = model.steps.last().map_or_else(|| quote!(()), |step| copied(&step.output));
    let output = if model.last_is_optional() { quote!(::core::option::Option<#output>) } else { output };
    let conditions = model.steps.iter().enumerate().filter_map(|(place, step)| condition(place, step, &self_ty, k));
    let runs = model.steps.iter().enumerate().map(|(place, step)| run(place, step, &self_ty, k));
    let undos = model.steps.iter().enumerate().filter_map(|(place, step)| undo(place, step, &self_ty, k));
    let signals = model.steps.iter().enumerate().filter_map(|(place, step)| {
        let ty = copied(step.signal.as_ref()?);
        Some(quote!(#place => #k::saga::read_signal::<#ty>(payload).map(|_| ()),))
    });
    let asserts = model.steps.iter().map(|step| asserts(step, k));
    let taken = bound(&model.input, "StepInput", k);
    let span = at(model.span);
    let p = moved(k, span);
    quote_spanned! {span=>
        #[allow(deprecated, private_interfaces, unreachable_code, unused_variables, clippy::all, clippy::pedantic)]
        const _: () = {
            #taken
            #(#asserts)*

            impl #p::saga::Definition for #self_ty {
                type Input = #input;
                type Output = #output;

                const SAGA: &'static #p::saga::SagaInfo = &#p::saga::SagaInfo {
                    name: #name,
                    doc: #doc,
                    version: #version,
                    timeout: #timeout,
                    input: #written,
                    steps: &[#(#steps),*],
                };

                fn condition(
                    &self,
                    step: ::core::primitive::usize,
                    values: &#p::saga::Values<'_>,
                ) -> ::core::result::Result<::core::primitive::bool, #p::saga::Misfit> {
                    match step {
                        #(#conditions)*
                        _ => ::core::result::Result::Ok(true),
                    }
                }

                fn step<'a>(
                    &'a self,
                    step: ::core::primitive::usize,
                    values: &'a #p::saga::Values<'a>,
                ) -> #p::BoxFuture<'a, #p::saga::Ran> {
                    match step {
                        #(#runs)*
                        _ => ::std::boxed::Box::pin(async { #p::saga::Ran::Misfit(#p::saga::no_such_step()) }),
                    }
                }

                fn compensation<'a>(
                    &'a self,
                    step: ::core::primitive::usize,
                    values: &'a #p::saga::Values<'a>,
                ) -> #p::BoxFuture<'a, #p::saga::Undone> {
                    match step {
                        #(#undos)*
                        _ => ::std::boxed::Box::pin(async { #p::saga::Undone::Misfit(#p::saga::no_such_step()) }),
                    }
                }

                fn read_signal(
                    step: ::core::primitive::usize,
                    payload: &#p::Value,
                ) -> ::core::result::Result<(), #p::saga::Misfit> {
                    match step {
                        #(#signals)*
                        _ => ::core::result::Result::Err(#p::saga::no_such_step()),
                    }
                }
            }
        };
    }
}

/// `StepInfo { … }`
fn info(step: &StepModel, k: &TokenStream) -> TokenStream {
    let (name, doc, output) = (step.method.ident.to_string(), &step.doc, spelled(&step.output));
    let compensation = option(step.compensation.as_ref().map(|compensation| {
        let (name, takes_unknown) = (compensation.ident.to_string(), compensation.takes_unknown);
        quote!(#k::saga::CompensationInfo { name: #name, takes_unknown: #takes_unknown })
    }));
    let (conditional, pivot) = (step.condition.is_some(), step.pivot);
    let (wait, timeout) = match (&step.args.signal, step.args.timeout) {
        (Some(signal), Some(wait)) => {
            let wait = time(wait);
            (quote!(::core::option::Option::Some(#k::saga::WaitInfo { signal: #signal, timeout: #wait })), None)
        }
        (_, timeout) => (quote!(::core::option::Option::None), timeout),
    };
    let timeout = timeout.map_or_else(|| quote!(#k::saga::STEP_TIMEOUT), time);
    let max = step.args.max.map(|max| quote!(max: #max,));
    let backoff = step.args.backoff.map(|(first, longest)| {
        let (first, longest) = (time(first), time(longest));
        quote!(first: #first, longest: #longest,)
    });
    let jitter = step.args.jitter.map(|jitter| quote!(jitter: #jitter,));
    quote! {
        #k::saga::StepInfo {
            name: #name,
            doc: #doc,
            output: #output,
            compensation: #compensation,
            conditional: #conditional,
            wait: #wait,
            pivot: #pivot,
            retry: #k::saga::StepRetry { #max #backoff #jitter ..#k::saga::StepRetry::DEFAULT },
            timeout: #timeout,
        }
    }
}

/// Reads the parameters from the log, and gives how each is passed.
fn reads(sources: &[Source], misfit: &TokenStream, k: &TokenStream) -> (TokenStream, Vec<TokenStream>) {
    let mut lets = TokenStream::new();
    let mut passed = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let span = at(source.ty.span());
        let local = Ident::new(&format!("taken{number}"), hidden(span));
        let (ty, k) = (copied(&source.ty), moved(k, span));
        let (read, pass) = match source.from {
            From::Input => (quote_spanned!(span=> values.input::<#ty>()), quote!(&#local)),
            From::Output(step) => (quote_spanned!(span=> values.output::<#ty>(#step)), quote!(&#local)),
            From::Optional(step) => {
                (quote_spanned!(span=> values.optional::<#ty>(#step)), quote!(::core::option::Option::as_ref(&#local)))
            }
            From::Signal => (quote_spanned!(span=> values.signal::<#ty>()), quote!(#local)),
            From::Own => (quote_spanned!(span=> values.output::<#ty>(own)), quote!(#local)),
            From::Outcome => (quote_spanned!(span=> values.outcome::<#ty>(own)), quote!(#local)),
        };
        lets.extend(quote_spanned! {span=>
            let #local = match #read {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(misfit) => return #k::saga::#misfit,
            };
        });
        passed.push(pass);
    }
    (lets, passed)
}

fn condition(place: usize, step: &StepModel, self_ty: &TokenStream, k: &TokenStream) -> Option<TokenStream> {
    let condition = step.condition.as_ref()?;
    let span = at(condition.ident.span());
    let ident = Ident::new(&condition.ident.to_string(), span);
    let (p, mut lets, mut passed) = (moved(k, span), TokenStream::new(), Vec::new());
    for (number, source) in condition.params.iter().enumerate() {
        let local = format_ident!("taken{number}", span = hidden(span));
        let ty = copied(&source.ty);
        let (read, pass) = match source.from {
            From::Output(step) => (quote!(values.output::<#ty>(#step)?), quote!(&#local)),
            From::Optional(step) => {
                (quote!(values.optional::<#ty>(#step)?), quote!(::core::option::Option::as_ref(&#local)))
            }
            _ => (quote!(values.input::<#ty>()?), quote!(&#local)),
        };
        lets.extend(quote!(let #local = #read;));
        passed.push(pass);
    }
    Some(quote_spanned! {span=>
        #place => {
            #lets
            let wanted: ::core::primitive::bool = <#self_ty>::#ident(self, #(#passed),*);
            ::core::result::Result::<_, #p::saga::Misfit>::Ok(wanted)
        }
    })
}

fn run(place: usize, step: &StepModel, self_ty: &TokenStream, k: &TokenStream) -> TokenStream {
    let span = at(step.method.ident.span());
    let ident = Ident::new(&step.method.ident.to_string(), span);
    let p = moved(k, span);
    let (lets, passed) = reads(&step.params, &quote!(Ran::Misfit(misfit)), k);
    let wait = step.method.is_async.then(|| quote_spanned!(span=> .await));
    let called = quote_spanned!(span=> <#self_ty>::#ident(self, #(#passed),*) #wait);
    let returned = split(&step.method, &called, k);
    let reply = Reply::of(&step.method, k);
    let (ok, err) = (reply.ok, reply.err);
    let err_span = error_span(step).unwrap_or(span);
    let q = moved(k, err_span);
    let ran = quote_spanned!(err_span=> #q::saga::ran::<#ok, #err>);
    quote_spanned! {span=>
        #place => ::std::boxed::Box::pin(async move {
            #lets
            let returned: ::core::result::Result<_, _> = #returned;
            let ran: #p::saga::Ran = #ran(returned);
            ran
        }),
    }
}

fn undo(place: usize, step: &StepModel, self_ty: &TokenStream, k: &TokenStream) -> Option<TokenStream> {
    let compensation = step.compensation.as_ref()?;
    let span = at(compensation.ident.span());
    let ident = Ident::new(&compensation.ident.to_string(), span);
    let (lets, passed) = reads(&compensation.params, &quote!(Undone::Misfit(misfit)), k);
    let wait = compensation.is_async.then(|| quote_spanned!(span=> .await));
    let returned = at(compensation.returns.as_ref().map_or(compensation.ident.span(), Spanned::span));
    let q = moved(k, returned);
    let undone = match &compensation.returns {
        Some(ty) => {
            let ty = copied(ty);
            quote_spanned!(returned=> #q::saga::undone::<#ty>)
        }
        None => quote_spanned!(returned=> #q::saga::undone::<()>),
    };
    Some(quote_spanned! {span=>
        #place => ::std::boxed::Box::pin(async move {
            let own: ::core::primitive::usize = #place;
            #lets
            let returned = <#self_ty>::#ident(self, #(#passed),*) #wait;
            #undone(returned)
        }),
    })
}

/// Where the error's type is written.
fn error_span(step: &StepModel) -> Option<Span> {
    match &step.method.output {
        Output::Result(result) => Some(at(result.err.span())),
        Output::Unknown(ty) => Some(at(ty.span())),
        Output::Plain(_) => None,
    }
}

/// What the compiler checks, since it knows the types.
fn asserts(step: &StepModel, k: &TokenStream) -> TokenStream {
    let output = bound(&step.output, "StepOutput", k);
    let signal = step.signal.as_ref().map(|ty| bound(ty, "StepInput", k));
    let certain = step.compensation.as_ref().filter(|compensation| !compensation.takes_unknown);
    let certain = certain.filter(|_| error_span(step).is_some()).map(|compensation| {
        let span = at(compensation.own.span());
        let (p, err) = (moved(k, span), Reply::of(&step.method, k).err);
        let text = format!(
            "`{}` calls another service, and a call may end without anybody knowing whether it happened: let `{}` take `Outcome<{}>`",
            step.method.ident,
            compensation.ident,
            spelled(&step.output)
        );
        quote_spanned!(span=> const _: () = ::core::assert!(!<#err as #p::saga::StepError>::CALLS_OUT, #text);)
    });
    quote!(#output #signal #certain)
}

/// Asks for a trait at the place of a type.
fn bound(ty: &Type, name: &str, k: &TokenStream) -> TokenStream {
    let span = at(ty.span());
    let (ty, k, name) = (copied(ty), moved(k, span), Ident::new(name, span));
    quote_spanned! {span=>
        const _: fn() = || {
            fn kept<T: #k::saga::#name>() {}
            kept::<#ty>();
        };
    }
}
