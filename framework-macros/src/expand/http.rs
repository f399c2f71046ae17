//! Methods that an HTTP request fires: the constant data, and the arm that binds, extracts, injects, calls and answers.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use super::{
    arguments,
    descriptor::{duration, option, param_info, shapes},
    dispatch::{Parameters, Target, call, local},
    entrypoints::First,
    guard,
    output::{Reply, split},
};
use crate::{
    model::{Format, HttpModel, MethodModel, ParamModel, Place as Bound, PlaceKind},
    syntax::{Place, at, copied, hidden, moved},
};

/// The name of the constant that holds a route's data.
pub(super) fn constant(route: &HttpModel) -> Ident {
    format_ident!("__ROUTE_{}", route.index)
}

/// `const __ROUTE_3: RouteInfo = …;`
pub(super) fn route(route: &HttpModel, first: First<'_>, prefix: &str, k: &TokenStream) -> TokenStream {
    let (method, args, index) = (&route.method, &route.by.args, first.index(route.index));
    let (constant, cfgs, doc) = (constant(route), &method.cfgs, &method.doc);
    let name = method.ident.unraw().to_string();
    let (verb, path) = (&args.verb, format!("{prefix}{}", args.path.text));
    let params = method.arguments().zip(&route.by.places).map(|(param, place)| route_param(param, place, k));
    let (extracts, deny_unknown_query) = (route.by.extracts, args.deny_unknown_query);
    let (max_body_bytes, timeout, max_workers) =
        (option(args.max_body_bytes), duration(args.timeout), option(args.max_workers));
    let Reply { ok, .. } = Reply::of(method, k);
    let status = args.status.map(|(status, _)| status).unwrap_or(if ok.to_string() == "()" { 204 } else { 200 });
    let operation = args.name.as_ref().unwrap_or(&name);
    let (tag, summary) = (option(args.tag.as_ref()), option(args.summary.as_ref()));
    let (deprecated, hide, shapes) = (args.deprecated, args.hide, shapes(method, k));
    let security = method.params.iter().filter(|param| param.is_injected()).map(|param| {
        let ty = copied(&param.ty);
        quote!({
            #[allow(unused_imports)]
            use #k::http::NotSecured as _;
            #k::http::SecuredProbe::<#ty>::SCHEME
        })
    });
    quote! {
        #(#cfgs)*
        const #constant: #k::RouteInfo = #k::RouteInfo {
            index: #index,
            method: #name,
            doc: #doc,
            verb: #verb,
            path: #path,
            params: &[#(#params),*],
            extracts: #extracts,
            deny_unknown_query: #deny_unknown_query,
            max_body_bytes: #max_body_bytes,
            timeout: #timeout,
            max_workers: #max_workers,
            status: #status,
            about: #k::RouteAbout {
                name: #operation,
                tag: #tag,
                summary: #summary,
                deprecated: #deprecated,
                hide: #hide,
            },
            shapes: #shapes,
            answer: #k::AnswerShape::of({
                #[allow(unused_imports)]
                use #k::http::{NotResponse as _, OtherAnswer as _};
                |generator| #k::http::AnswerProbe::<#ok>::media(
                    generator,
                    #k::shape!(#ok),
                    #k::http::ResponseProbe::<#ok>::YES,
                )
            }),
            security: &[#(#security),*],
        };
    }
}

fn route_param(param: &ParamModel, place: &Bound, k: &TokenStream) -> TokenStream {
    let (info, doc, name) = (param_info(param, k), &param.doc, &place.name);
    let place = match place.kind {
        PlaceKind::Path => quote!(Path),
        PlaceKind::Query => quote!(Query),
        PlaceKind::Header => quote!(Header),
        PlaceKind::Cookie => quote!(Cookie),
        PlaceKind::Body(format) => {
            let format = body_format(format, k);
            quote!(Body(#format))
        }
        PlaceKind::Field(format) => {
            let format = body_format(format, k);
            quote!(Field(#format))
        }
    };
    quote!(#k::RouteParam { param: #info, doc: #doc, place: #k::ParamPlace::#place, name: #name })
}

fn body_format(format: Format, k: &TokenStream) -> TokenStream {
    match format {
        Format::Json => quote!(#k::BodyFormat::Json),
        Format::Form => quote!(#k::BodyFormat::Form),
        Format::Multipart => quote!(#k::BodyFormat::Multipart),
    }
}

/// The arm of one route.
pub(super) fn arm(route: &HttpModel, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    let method = &route.method;
    let span = at(method.span());
    let k = &moved(k, span);
    let (index, cfgs, constant) = (route.index, &method.cfgs, constant(route));
    let arguments_struct = arguments::name(method);
    let Target { hooks, call: fired, .. } = target;
    let args = Ident::new("args", hidden(method.span()));
    let extracted = extracted(method, route.by.extracts, fired, k);
    let Parameters { injected, decoded, passed } = Parameters::of(method, target, &args, k);
    let admit = guard::admit(method, target, k);
    let answer = answer(route, &call(method, target, passed.into_iter()), k);
    quote_spanned! {span=>
        #(#cfgs)*
        #index => ::std::boxed::Box::pin(async move {
            #admit
            let #args = match #k::http::bind::<#arguments_struct<'_>>(&#fired, &#constant).await {
                ::core::result::Result::Ok(args) => args,
                ::core::result::Result::Err(outcome) => return outcome,
            };
            #extracted
            #k::run_worker(#hooks, &#fired, ::core::pin::pin!(::core::option::Option::Some(async {
                #(#injected)*
                #(#decoded)*
                #answer
            }))).await
        }),
    }
}

/// What axum reads, in the order of the parameters; the last one may take the body, where nothing else does.
fn extracted(method: &MethodModel, may_take_body: bool, call: &Ident, k: &TokenStream) -> Option<TokenStream> {
    let params: Vec<&ParamModel> = method.params.iter().filter(|param| param.is_extracted()).collect();
    let last = params.len().checked_sub(1)?;
    let head = Ident::new("head", hidden(method.span()));
    let reads = params.iter().enumerate().map(|(at, param)| {
        let (local, ty, place) = (local(param), copied(&param.ty), Place::of(&param.ty));
        let (span, wait) = (place.first, place.wait());
        let k = &moved(k, span);
        let read = if may_take_body && at == last {
            let passed = place.parens(quote!(#head, &#call));
            quote_spanned!(span=> #k::http::extract_last::<_, #ty>#passed #wait)
        } else if may_take_body {
            let passed = place.parens(quote!(&mut #head));
            quote_spanned!(span=> #k::http::extract::<#ty>#passed #wait)
        } else {
            let passed = place.parens(quote!(&mut #head));
            quote_spanned!(span=> #k::http::extract_beside_body::<#ty>#passed #wait)
        };
        quote_spanned! {span=>
            let #local = match #read {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(outcome) => return outcome,
            };
        }
    });
    let span = at(method.span());
    Some(quote_spanned! {span=>
        #[allow(unused_mut)]
        let mut #head = #k::http::head(&#call);
        #(#reads)*
    })
}

/// The only place that asks the types of the answer: at the written types.
fn answer(route: &HttpModel, value: &TokenStream, k: &TokenStream) -> TokenStream {
    let method = &route.method;
    let span = at(method.span());
    let constant = constant(route);
    let (Reply { ok, err, .. }, value) = (Reply::of(method, k), split(method, value, k));
    let place = method.output.written().map_or_else(|| Place::of(&method.ident), Place::of);
    let at_output = place.first;
    let (p, passed) = (moved(k, at_output), place.parens(quote!(value, #constant.status)));
    let answered = quote_spanned! {at_output=>
        #p::http::answer::<
            { #[allow(unused_imports)] use #p::http::NotResponse as _; #p::http::ResponseProbe::<#ok>::YES },
            { #[allow(unused_imports)] use #p::NotServiceError as _; #p::ServiceErrorProbe::<#err>::YES },
            #ok,
            #err,
        >#passed
    };
    quote_spanned! {span=>
        let value = #value;
        #answered
    }
}
