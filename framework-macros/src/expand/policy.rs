//! `#[policy]`.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{FnArg, Path, ext::IdentExt, spanned::Spanned};

use super::{Crate, options};
use crate::{
    args::By,
    model::{PolicyModel, PolicyParam},
    syntax::{Method, Place, at, copied, hidden, moved},
};

/// Puts the policy around the body. The signature stays, but for patterns that a second use cannot have.
pub(crate) fn expand(model: &PolicyModel, method: &mut Method) {
    let krate = Crate::new(&model.krate);
    let k = &krate.private;
    let span = hidden(method.sig.ident.span());
    let local = |name: &str| Ident::new(name, span);
    let (policy, ended, error, classify) = (local("policy"), local("ended"), local("error"), local("classify"));
    let found = find(model, method, &krate);
    let (attempt, again) = (attempt(model, method), again(model, k));
    let (classifier, returned) = (classifier(model, k), copied(&model.returns));
    let runs = if model.repeats {
        quote!(#k::policy::repeat(#policy, #classify, || { #again #attempt }))
    } else {
        quote!(#k::policy::once(#policy, #classify, { #again #attempt }))
    };
    let last = match &model.fallback {
        None => {
            let (err, place) = error_of(model, k);
            let (p, none) = (moved(k, place.first), place.parens(TokenStream::new()));
            let holder = quote_spanned!(place.first=> #p::policy::holder::<#err>#none);
            quote!(#k::policy::settle(#ended, #holder))
        }
        Some(path) => {
            let call = fall_back(model, path, &error);
            let (place, p) = (at(path.span()), moved(k, at(path.span())));
            let why = quote!(#k::policy::why(&#error));
            let run = quote_spanned!(place=> #p::policy::fall_back(#policy, why, #call).await);
            quote! {
                match #k::policy::answered(#ended, #classify) {
                    ::core::result::Result::Ok(ended) => ended,
                    ::core::result::Result::Err(#error) => {
                        let why = #why;
                        #run
                    }
                }
            }
        }
    };
    let body = quote! {
        let #policy: &#k::Policy = #found;
        let #classify = #classifier;
        let #ended = #runs.await;
        let ended: #returned = #last;
        ended
    };
    if model.keeps_params() {
        plain_patterns(model, method);
    }
    let mut braces = Group::new(proc_macro2::Delimiter::Brace, body);
    braces.set_span(method.body.span());
    method.body = braces.into();
}

/// `&self.gateway`, or the method's own policy.
fn find(model: &PolicyModel, method: &Method, krate: &Crate) -> TokenStream {
    let k = &krate.private;
    let (name, options) = match &model.by {
        By::Field(field) => {
            let span = at(field.span());
            return quote_spanned!(span=> &#field);
        }
        By::Named(ident) => {
            let span = at(ident.span());
            let this = Ident::new("self", model.receiver.unwrap_or(span).located_at(ident.span()));
            return quote_spanned!(span=> &#this.#ident);
        }
        By::Own { name, options } => (name, options),
    };
    let name = name.as_ref().map_or_else(|| method.sig.ident.unraw().to_string(), syn::LitStr::value);
    let (settings, repeats) = (Ident::new("settings", hidden(method.sig.ident.span())), model.repeats);
    let set = options.iter().map(|option| options::set(&settings, option, k));
    quote! {{
        static OWN: #k::policy::OwnPolicy = #k::policy::OwnPolicy::new(#name, ::core::module_path!(), #repeats, || {
            let mut #settings = #k::policy::settings();
            #(#set)*
            ::core::result::Result::Ok(#settings)
        });
        #k::inventory::submit! {
            #k::policy::Declared(&OWN)
        }
        #k::policy::OwnPolicy::get(&OWN)
    }}
}

/// The body as a future of what the method returns, so that `?` and `return` in it mean what they meant.
fn attempt(model: &PolicyModel, method: &Method) -> TokenStream {
    let (returned, body) = (copied(&model.returns), &method.body);
    let span = at(model.returns.span());
    let unreachable = quote_spanned! {span=>
        #[allow(unreachable_code, clippy::all, clippy::pedantic)]
        if false {
            let returned: #returned = ::core::unreachable!();
            return returned;
        }
    };
    quote! {
        async move {
            #unreachable
            #body
        }
    }
}

/// Each parameter that is not borrowed once more, under the name and the pattern that the body knows.
fn again(model: &PolicyModel, k: &TokenStream) -> TokenStream {
    if !model.keeps_params() {
        return TokenStream::new();
    }
    let each = model.params.iter().enumerate().map(|(place, param)| {
        let (pat, name) = (&param.pat, name(param, place));
        if param.is_shared {
            return if param.ident.is_some() { TokenStream::new() } else { quote!(let #pat = #name;) };
        }
        let span = at(param.span());
        let (k, name) = (moved(k, span), moved_ident(&name, span));
        let value = quote_spanned!(span=> #k::policy::again(&#name));
        quote!(let #pat = #value;)
    });
    quote!(#(#each)*)
}

/// What a parameter is called where it is kept.
fn name(param: &PolicyParam, place: usize) -> Ident {
    param.ident.clone().unwrap_or_else(|| format_ident!("__arg{place}", span = hidden(Span::call_site())))
}

/// The same variable, told at another place.
fn moved_ident(ident: &Ident, place: Span) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(ident.span().located_at(place));
    ident
}

/// The signature with names alone: what they are taken apart into, each attempt has anew.
fn plain_patterns(model: &PolicyModel, method: &mut Method) {
    let typed = method.sig.inputs.iter_mut().filter_map(|arg| match arg {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    });
    for (place, (written, param)) in typed.zip(&model.params).enumerate() {
        if param.is_shared && param.ident.is_some() {
            continue;
        }
        let name = name(param, place);
        *written.pat = syn::parse_quote!(#name);
    }
}

/// The error's type, and where it is written.
fn error_of(model: &PolicyModel, k: &TokenStream) -> (TokenStream, Place) {
    match &model.err {
        Some(err) => (copied(err), Place::of(err)),
        None => {
            let (returned, place) = (copied(&model.returns), Place::of(&model.returns));
            let k = moved(k, place.first);
            (quote_spanned!(place.first=> <#returned as #k::policy::Fallible>::Err), place)
        }
    }
}

fn classifier(model: &PolicyModel, k: &TokenStream) -> TokenStream {
    let (err, place) = error_of(model, k);
    match &model.classify {
        Some(path) => {
            let span = at(path.span());
            let (k, path) = (moved(k, span), copied(path));
            quote_spanned!(span=> #k::policy::given::<#err>(#path))
        }
        None => {
            let (k, none) = (moved(k, place.first), place.parens(TokenStream::new()));
            quote_spanned!(place.first=> #k::policy::classifier::<#err>#none)
        }
    }
}

/// The call of the fallback, all at its name, since what may be wrong is its signature.
fn fall_back(model: &PolicyModel, path: &Path, error: &Ident) -> TokenStream {
    let span = at(path.span());
    let params = model.params.iter().enumerate().map(|(place, param)| moved_ident(&name(param, place), span));
    let error = moved_ident(error, span);
    let this = model.receiver.map(|receiver| Ident::new("self", receiver.located_at(span)));
    let params = quote_spanned!(span=> #(#params,)* #error);
    match (this, path.get_ident()) {
        (Some(this), Some(method)) => quote_spanned!(span=> #this.#method(#params)),
        (Some(this), None) if path.segments.first().is_some_and(|first| first.ident == "Self") => {
            let path = copied(path);
            quote_spanned!(span=> #path(#this, #params))
        }
        _ => {
            let path = copied(path);
            quote_spanned!(span=> #path(#params))
        }
    }
}
