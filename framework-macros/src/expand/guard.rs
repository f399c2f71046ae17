//! Who may call: what an arm begins with, and what the descriptor says of it.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::{dispatch::Target, entrypoints::First, service};
use crate::{
    model::{Access, AccessRule, Entrypoint, MethodModel, ServiceModel},
    syntax::{at, copied, hidden, moved},
};

/// What an arm of a method begins with that somebody calls: nothing runs, nothing is decoded before it.
///
/// A service is asked for its `Jwt` by its type, as `idempotent` asks for a database.
pub(super) fn admit(method: &MethodModel, target: &Target<'_>, k: &TokenStream) -> Option<TokenStream> {
    let block = target.access?;
    let wants_identity = method.params.iter().filter(|param| param.is_injected()).map(|param| {
        let ty = copied(&param.ty);
        quote!(#k::auth::IdentityProbe::<#ty>::YES)
    });
    let span = at(method.span());
    let identify = quote_spanned!(span=> {
        #[allow(unused_imports)]
        use #k::auth::NoIdentity as _;
        false #(|| #wants_identity)*
    });
    Some(ask(method.access.as_ref().or(block), &identify, target, k))
}

/// The same for methods of a contract's trait, which say nothing of it themselves.
pub(super) fn admit_contract(target: &Target<'_>, k: &TokenStream) -> Option<TokenStream> {
    Some(ask(target.access?, &quote!(false), target, k))
}

fn ask(access: Option<&Access>, identify: &TokenStream, target: &Target<'_>, k: &TokenStream) -> TokenStream {
    let Target { injects, dependencies, call, .. } = target;
    let refused = Ident::new("refused", hidden(call.span()));
    let Some(access) = access else {
        return quote! {
            if let ::core::option::Option::Some(jwt) = #k::auth::JwtProbe::<#injects>::jwt(&*#dependencies) {
                return #k::auth::closed(jwt, &#call);
            }
        };
    };
    let span = access.span;
    let (k, injects) = (moved(k, at(span)), moved(injects, at(span)));
    let jwt = quote_spanned!(at(span)=> <#injects as #k::auth::LooksAtTokens>::jwt(&*#dependencies));
    match &access.rule {
        AccessRule::Public => quote! {
            if let ::core::option::Option::Some(#refused) = #k::auth::open(#jwt, &#call, #identify).await {
                return #refused;
            }
        },
        AccessRule::Guard(_) => {
            let rules = rules(access, &k);
            quote! {
                if let ::core::option::Option::Some(#refused) = #k::auth::admit(#jwt, &#call, #rules).await {
                    return #refused;
                }
            }
        }
    }
}

/// `&[Rule { … }]`
fn rules(access: &Access, k: &TokenStream) -> TokenStream {
    let AccessRule::Guard(guards) = &access.rule else { return quote!(&[]) };
    let rules = guards.iter().map(|guard| {
        let (roles, scopes) = (&guard.roles, &guard.scopes);
        quote!(#k::Rule { roles: &[#(#roles),*], scopes: &[#(#scopes),*] })
    });
    quote!(&[#(#rules),*])
}

fn written(access: Option<&Access>, k: &TokenStream) -> TokenStream {
    match access.map(|access| (access, &access.rule)) {
        None => quote!(#k::Access::Unsaid),
        Some((_, AccessRule::Public)) => quote!(#k::Access::Public),
        Some((access, AccessRule::Guard(_))) => {
            let rules = rules(access, k);
            quote!(#k::Access::Guarded(#rules))
        }
    }
}

/// `AccessInfo { … }`
pub(super) fn info(model: &ServiceModel, k: &TokenStream) -> TokenStream {
    if !cfg!(feature = "jwt") {
        return quote!(#k::AccessInfo::OPEN);
    }
    let first = service::first(model);
    let first = First(first.as_ref());
    let entrypoints = &model.entrypoints;
    let methods = of(&entrypoints.rpc, first, k).chain(of(&entrypoints.events, first, k));
    let methods = methods.chain(of(&entrypoints.consumers, first, k)).chain(of(&entrypoints.routes, first, k));
    let methods = methods.chain(of(&entrypoints.sockets, first, k));
    let (block, self_ty) = (written(model.access.as_ref(), k), copied(&model.self_ty));
    quote! {
        #k::AccessInfo {
            has_jwt: {
                #[allow(unused_imports)]
                use #k::auth::NoJwt as _;
                #k::auth::JwtProbe::<#self_ty>::YES
            },
            block: #block,
            methods: &[#(#methods),*],
        }
    }
}

/// Those entrypoints whose methods say something of it.
fn of<'a, K>(
    entrypoints: &'a [Entrypoint<K>],
    first: First<'a>,
    k: &'a TokenStream,
) -> impl Iterator<Item = TokenStream> + 'a {
    entrypoints.iter().filter_map(move |entrypoint| {
        let method = &entrypoint.method;
        let (index, access) = (first.index(entrypoint.index), written(Some(method.access.as_ref()?), k));
        let cfgs = &method.cfgs;
        Some(quote!(#(#cfgs)* (#index, #access)))
    })
}
