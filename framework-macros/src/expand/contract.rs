//! `#[contract]`: the trait with its hidden dispatch, the client, and the value that carries both under the trait's name.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ReturnType, ext::IdentExt, parse_quote, parse_quote_spanned, spanned::Spanned};

use super::{
    Crate,
    client::{self, Client},
    descriptor::method_infos,
    dispatch::{self, Target},
};
use crate::{
    model::{ContractModel, MethodModel},
    syntax::{Item, Method, TraitBlock, at, hidden, moved},
};

pub(crate) fn expand(model: &ContractModel, mut block: TraitBlock, broken: bool) -> TokenStream {
    let krate = Crate::new(&model.args.krate);
    let k = &krate.private;
    let ident = block.head.ident.clone();
    if broken && !block.head.generics.params.is_empty() {
        return block.into_token_stream();
    }
    let vis = block.head.vis.clone();
    let client = client(model, &ident, &vis, k);
    let (client_item, client_impls) = (client.item(&krate), client.impls(&krate));
    let client_ident = &client.ident;

    let name = model.args.name.as_deref().unwrap_or_default();
    let (doc, infos) = (&model.doc, method_infos(&model.methods, k));
    let coverage = model.methods.iter().map(|rpc| covered(&rpc.method, &ident, k));
    let (needs, dispatch) = (needs(model, client_ident, k), dispatch(model, &ident, client_ident, broken, k));
    let mut value = ident.clone();
    value.set_span(at(ident.span()));
    let value = quote! {
        #[doc(hidden)]
        #[allow(
            non_upper_case_globals, non_camel_case_types, non_local_definitions, missing_debug_implementations, dead_code,
            unreachable_pub, private_bounds
        )]
        #vis const #value: #k::Contract<#client_ident> = {
            #needs
            #k::Contract::new(#k::ContractInfo {
                name: #name,
                doc: #doc,
                methods: #infos,
                coverage: &[#(#coverage),*],
            })
        };
    };

    for item in &mut block.body.items {
        if let Item::Fn(method) = item {
            promise_send(method);
            if broken {
                method.drop_body();
            }
        }
    }
    block.head.supertraits.extend::<[syn::TypeParamBound; 3]>([
        parse_quote!(::core::marker::Send),
        parse_quote!(::core::marker::Sync),
        parse_quote!('static),
    ]);
    block.head.colon_token.get_or_insert_default();
    let cfgs = &model.cfgs;
    quote! {
        // A program that only calls the service uses the client and never the trait.
        #[allow(dead_code)]
        #block
        #(#cfgs)*
        #value
        #(#cfgs)*
        #client_item

        #(#cfgs)*
        #[allow(deprecated, private_interfaces, unreachable_code, clippy::all, clippy::pedantic)]
        const _: () = {
            #client_impls
            #dispatch
        };
    }
}

/// What is said of parameters that a service has otherwise.
fn covered(method: &MethodModel, contract: &Ident, k: &TokenStream) -> TokenStream {
    let (cfgs, name) = (&method.cfgs, method.ident.to_string());
    let texts = |say: fn(&str, &str, &Ident) -> String| {
        let texts = method.arguments().map(|param| say(&name, &param.wire_name(), contract));
        quote!(&[#(#texts),*])
    };
    let renamed = texts(|method, param, contract| {
        format!(
            "`{method}` calls this parameter `{param}` in `{contract}`: callers send arguments by name, so call it that"
        )
    });
    let required = texts(|_, param, contract| {
        format!(
            "callers may leave `{param}` out by `{contract}`: repeat its `#[default(…)]` here, or write an `Option`"
        )
    });
    let logged = texts(|_, param, contract| {
        format!("`{param}` is sensitive in `{contract}`: write `#[rpc(sensitive({param}))]`, so that no log shows it")
    });
    quote! {
        #(#cfgs)* #k::Covered { method: #name, renamed: #renamed, required: #required, logged: #logged }
    }
}

/// A method's name as a type.
pub(super) fn named(method: &Ident, k: &TokenStream) -> TokenStream {
    // FNV-1a: `std`'s hashes may differ between two builds of this macro.
    let hash = method.unraw().to_string().bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    quote!(#k::Named<#hash>)
}

/// One type for each method, which the compiler names where a service lacks it; and the client's function that asks for all.
///
/// To stand inside the contract's value: there the types are called `{contract}::{method}`.
fn needs(model: &ContractModel, client: &Ident, k: &TokenStream) -> TokenStream {
    let needs: Vec<Ident> = model
        .methods
        .iter()
        .map(|rpc| {
            let mut need = rpc.method.ident.clone();
            need.set_span(at(need.span()));
            need
        })
        .collect();
    let types = model.methods.iter().zip(&needs).map(|(rpc, need)| {
        let (cfgs, named) = (&rpc.method.cfgs, named(&rpc.method.ident, k));
        let conditions = cfgs.iter().filter_map(|cfg| cfg.meta.require_list().ok()).map(|list| &list.tokens);
        let absent = (!cfgs.is_empty()).then(|| {
            quote! {
                #[cfg(not(all(#(#conditions),*)))]
                impl #k::Method for #need {
                    type Name = #k::Anything;
                }
            }
        });
        let item = quote_spanned!(need.span()=> pub struct #need;);
        quote! {
            #item

            #(#cfgs)*
            impl #k::Method for #need {
                type Name = #named;
            }

            #absent
        }
    });
    let bounds = needs.iter().map(|need| {
        let k = moved(k, need.span());
        quote_spanned!(need.span()=> #need: #k::ServedBy<S>)
    });
    quote! {
        #(#types)*

        impl #client {
            /// For `#[service(contract = …)]`.
            #[doc(hidden)]
            pub fn __covered_by<S>(&self)
            where
                #(#bounds,)*
            {
            }
        }
    }
}

/// `async fn f() -> R` becomes `fn f() -> impl Future<Output = R> + Send`: workers move between threads.
fn promise_send(method: &mut Method) {
    if method.sig.asyncness.take().is_none() {
        return;
    }
    let span = at(method.sig.output.span());
    let output = match &method.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    method.sig.output = parse_quote_spanned! {span=>
        -> impl ::core::future::Future<Output = #output> + ::core::marker::Send
    };
}

/// Runs a worker of whoever implements the trait.
fn dispatch(model: &ContractModel, ident: &Ident, client: &Ident, broken: bool, k: &TokenStream) -> TokenStream {
    let local = |name| Ident::new(name, hidden(ident.span()));
    let (service, dependencies, call) = (local("service"), local("dependencies"), local("call"));
    let body = if broken {
        quote!(#k::no_such_method(#call))
    } else {
        let target = Target {
            callee: quote!(<__S as #ident>),
            injects: quote!(__D),
            hooks: quote!(&*#dependencies),
            service: &service,
            dependencies: &dependencies,
            call: &call,
            access: None,
        };
        let arms = dispatch::rpc_arms(&model.methods, &target, k);
        let structs = dispatch::structs(model.methods.iter().map(|rpc| &rpc.method), k);
        dispatch::expand(structs, arms, &target, k)
    };
    let span = at(ident.span());
    quote_spanned! {span=>
        #[allow(unused_variables)]
        impl<__S: #ident> #k::Dispatches<__S> for #client {
            fn dispatch<__D: #k::Dependencies>(
                #service: ::std::sync::Arc<__S>,
                #dependencies: ::std::sync::Arc<__D>,
                #call: #k::WorkerCall,
            ) -> #k::BoxFuture<'static, #k::Outcome> {
                #body
            }
        }
    }
}

fn client<'a>(model: &'a ContractModel, ident: &Ident, vis: &syn::Visibility, k: &TokenStream) -> Client<'a> {
    let name = model.args.name.as_deref().unwrap_or_default();
    let mut value = ident.clone();
    value.set_span(at(ident.span()));
    let from_service = quote! {
        /// A client of this one implementation in this process, for tests: no broker, but arguments and replies are encoded
        /// and decoded all the same, so that a fake cannot hide a type that does not travel.
        pub fn from_service(service: impl #ident) -> Self {
            let service = ::std::sync::Arc::new(service);
            let dependencies = ::std::sync::Arc::new(#k::NoHooks);
            let info = #value.info;
            Self(#k::ServiceClient::local(info.name, info.methods, move |call| {
                let (service, dependencies) = (::core::clone::Clone::clone(&service), ::core::clone::Clone::clone(&dependencies));
                #k::Contract::dispatch(&#value, service, dependencies, call)
            }))
        }
    };
    Client {
        ident: client::ident(ident),
        vis: vis.clone(),
        of: ident.to_string(),
        service: quote!(#name),
        methods: &model.methods,
        from_service,
    }
}
