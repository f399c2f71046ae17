//! `#[contract]`: the trait with its hidden dispatch, the client, and the value that carries both under the trait's name.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ReturnType, parse_quote, parse_quote_spanned, spanned::Spanned};

use super::{
    Crate,
    client::{self, Client},
    descriptor::method_infos,
    dispatch::{self, Target},
};
use crate::{
    model::ContractModel,
    syntax::{Item, Method, TraitBlock, at, hidden},
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
    let coverage = model.methods.iter().map(|method| {
        let (cfgs, method) = (&method.cfgs, method.ident.to_string());
        let missing = format!("`{ident}` has a method `{method}` that this block lacks: add it and mark it `#[rpc]`");
        quote!(#(#cfgs)* #k::Covered { method: #method, missing: #missing })
    });
    let mut value = ident.clone();
    value.set_span(at(ident.span()));
    let value = quote! {
        #[doc(hidden)]
        #[allow(non_upper_case_globals, dead_code, unreachable_pub)]
        #vis const #value: #k::Contract<#client_ident> = #k::Contract::new(#k::ContractInfo {
            name: #name,
            doc: #doc,
            methods: #infos,
            coverage: &[#(#coverage),*],
        });
    };

    for item in &mut block.body.items {
        if let Item::Fn(method) = item {
            promise_send(method);
            if broken {
                method.drop_body();
            }
        }
    }
    block.body.items.push(Item::Other(dispatch(model, &ident, broken, k)));
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
        #[allow(deprecated, private_interfaces, clippy::all, clippy::pedantic)]
        const _: () = {
            #client_impls
        };
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

/// The hidden method that runs a worker of whoever implements the trait. Its structs are inside, so that a contract may stand
/// in a function.
fn dispatch(model: &ContractModel, ident: &Ident, broken: bool, k: &TokenStream) -> TokenStream {
    let local = |name| Ident::new(name, hidden(ident.span()));
    let (service, dependencies, call) = (local("service"), local("dependencies"), local("call"));
    let body = if broken {
        quote!(#k::no_such_method(#call))
    } else {
        let target = Target {
            callee: quote!(<Self as #ident>),
            hooks: quote!(__D),
            service: &service,
            dependencies: &dependencies,
            call: &call,
        };
        dispatch::expand(&model.methods, &target, k)
    };
    let span = at(ident.span());
    quote_spanned! {span=>
        #[doc(hidden)]
        #[allow(deprecated, unreachable_code, unused_variables, clippy::all, clippy::pedantic)]
        fn __kinoko<__D: #k::Dependencies>(
            self: ::std::sync::Arc<Self>,
            #dependencies: ::std::sync::Arc<__D>,
            #call: #k::WorkerCall,
        ) -> #k::BoxFuture<'static, #k::Outcome>
        where
            Self: ::core::marker::Sized,
        {
            let #service = self;
            #body
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
                #ident::__kinoko(service, dependencies, call)
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
