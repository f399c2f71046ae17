//! `#[service]`: the descriptor, the dispatch, the registration and the client.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Path, Visibility, spanned::Spanned};

use super::{
    Crate,
    client::{self, Client},
    contract,
    descriptor::{method_info, method_infos, option, param_info},
    dispatch::{self, Target},
    entrypoints::{self, First},
    grpc, guard, http, idempotent,
    output::Reply,
};
use crate::{
    model::{Entrypoints, RpcModel, ServiceModel},
    syntax::{Place, at, copied, hidden, moved},
};

/// With `broken` the dispatch is a stub: the errors are beside it, and everybody else's code still type-checks.
pub(crate) fn expand(model: &ServiceModel, broken: bool) -> TokenStream {
    let krate = Crate::new(&model.args.krate);
    let k = &krate.private;
    let self_ty = copied(&model.self_ty);
    let client = client(model, k);
    let (client_item, client_impls) =
        (client.as_ref().map(|c| c.item(&krate)), client.as_ref().map(|c| c.impls(&krate)));
    let contract = model.args.contract.as_ref().filter(|_| !broken).map(|path| against_contract(model, path, k));
    let (descriptor, dispatch) = (descriptor(model, broken, k), dispatch(model, broken, k));
    let span = at(model.span());
    let p = moved(k, span);
    let prepared = (!broken).then(|| idempotent::prepared(model, k));
    let prepared = prepared.flatten();
    let service = quote_spanned! {span=>
        impl #p::DynService for #self_ty {
            fn descriptor(&self) -> &'static #p::ServiceDescriptor {
                <Self as #p::Service>::DESCRIPTOR
            }

            #dispatch
        }

        impl #p::Service for #self_ty {
            const DESCRIPTOR: &'static #p::ServiceDescriptor = &#descriptor;

            const PROVIDER: #p::Provider<Self> = {
                #[allow(unused_imports)]
                use #p::NotProvided as _;
                #p::Provided::<#self_ty>::PROVIDER #prepared
            };
        }

        const _: () = #p::assert_provided::<#self_ty>();
    };
    let first = first(model);
    let routes = model.entrypoints.routes.iter().filter(|_| !broken);
    let routes = routes.map(|route| http::route(route, First(first.as_ref()), &model.args.http, k));
    let methods = model.entrypoints.grpc.iter().filter(|_| !broken);
    let grpc = methods.map(|method| grpc::info(method, First(first.as_ref()), k));
    let complete = model.args.grpc.as_ref().filter(|_| !broken && cfg!(feature = "grpc"));
    let complete = complete.map(|service| grpc::complete(service, &model.entrypoints.grpc, k));
    let queues = (!broken).then(|| queues(model, k));
    let registration = (!broken).then(|| {
        quote! {
            #k::inventory::submit! {
                #k::Registration::of::<#self_ty>(::core::env!("CARGO_PKG_NAME"), ::core::module_path!())
            }
        }
    });
    let cfgs = &model.cfgs;
    // Without a client there is nothing for its `cfg` to stand on.
    let client_item = client_item.map(|item| quote!(#(#cfgs)* #item));
    quote! {
        #client_item

        #(#cfgs)*
        #[allow(deprecated, private_interfaces, unreachable_code, clippy::all, clippy::pedantic)]
        const _: () = {
            #contract
            #(#routes)*
            #(#grpc)*
            #complete
            #service
            #queues
            #registration
            #client_impls
        };
    }
}

fn client<'a>(model: &'a ServiceModel, k: &TokenStream) -> Option<Client<'a>> {
    // Nobody calls a service that only messages and the clock fire.
    if !model.args.client || model.args.contract.is_some() || model.entrypoints.rpc.is_empty() {
        return None;
    }
    let self_ty = copied(&model.self_ty);
    let from_service = quote! {
        /// A client of this one service in this process, for tests: no broker, but arguments and replies are encoded and
        /// decoded all the same, so that a type that does not travel is found.
        pub fn from_service(service: #self_ty) -> Self {
            let service = ::std::sync::Arc::new(service);
            let descriptor = <#self_ty as #k::Service>::DESCRIPTOR;
            Self(#k::ServiceClient::local(descriptor.name, descriptor.methods, move |call| {
                #k::DynService::dispatch(::core::clone::Clone::clone(&service), call)
            }))
        }
    };
    Some(Client {
        ident: client::ident(&model.ident),
        vis: Visibility::Public(syn::token::Pub(Span::call_site())),
        of: model.ident.to_string(),
        service: model.args.name.as_ref().map_or_else(|| quote!(""), |name| quote!(#name)),
        methods: &model.entrypoints.rpc,
        from_service,
    })
}

fn descriptor(model: &ServiceModel, broken: bool, k: &TokenStream) -> TokenStream {
    let (nameko_wire, max_workers) = (model.args.nameko_wire, option(model.args.max_workers));
    let doc = &model.doc;
    let (name, doc, methods) = match &model.args.contract {
        Some(_) if broken => (quote!(""), quote!(#doc), quote!(&[])),
        Some(path) => {
            let info = info(path, k);
            let methods = if model.serves_trait() {
                quote!(#info.methods)
            } else {
                let infos = model.entrypoints.rpc.iter().map(|rpc| {
                    let method = &rpc.method;
                    let (cfgs, name, info) = (&method.cfgs, method.ident.to_string(), method_info(rpc, k));
                    quote!(#(#cfgs)* __INFO.served(#name, #info))
                });
                quote!(&[#(#infos),*])
            };
            let doc = if doc.is_empty() { quote!(#info.doc) } else { quote!(#doc) };
            (quote!(#info.name), doc, methods)
        }
        None => {
            let name = model.args.name.as_deref().unwrap_or_default();
            (quote!(#name), quote!(#doc), method_infos(&model.entrypoints.rpc, k))
        }
    };
    // A broken service's descriptor says nothing of what its dispatch would not run.
    let others = if broken { &Entrypoints::default() } else { &model.entrypoints };
    let first = first(model);
    let first = First(first.as_ref());
    let events = others.events.iter().map(|handler| entrypoints::event_handler(handler, first, k));
    let consumers = others.consumers.iter().map(|consumer| entrypoints::consumer(consumer, first, k));
    let timers = others.timers.iter().map(|timer| entrypoints::timer(timer, first, k));
    let routes = others.routes.iter().map(|route| {
        let (cfgs, constant) = (&route.method.cfgs, http::constant(route));
        quote!(#(#cfgs)* #constant)
    });
    let sockets = others.sockets.iter().map(|socket| {
        let (cfgs, info, index) = (&socket.method.cfgs, method_info(socket, k), first.index(socket.index));
        quote!(#(#cfgs)* #k::MethodInfo { index: #index, ..#info })
    });
    let grpc = others.grpc.iter().map(|method| {
        let (cfgs, constant) = (&method.method.cfgs, grpc::constant(method));
        quote!(#(#cfgs)* #constant)
    });
    let http_prefix = &model.args.http;
    let access = if broken { quote!(#k::AccessInfo::OPEN) } else { guard::info(model, k) };
    let dispatches = model.args.dispatches.iter().filter(|_| !broken).map(|event| {
        let (place, ty) = (Place::of(event), copied(event));
        let k = moved(k, place.first);
        let shape = place.parens(quote!(#k::shape!(#ty)));
        quote_spanned!(place.first=> #k::DispatchInfo::of::<#ty>#shape)
    });
    quote! {
        #k::ServiceDescriptor {
            name: #name,
            doc: #doc,
            nameko_wire: #nameko_wire,
            max_workers: #max_workers,
            methods: #methods,
            events: &[#(#events),*],
            consumers: &[#(#consumers),*],
            timers: &[#(#timers),*],
            routes: &[#(#routes),*],
            sockets: &[#(#sockets),*],
            grpc: &[#(#grpc),*],
            http_prefix: #http_prefix,
            dispatches: &[#(#dispatches),*],
            access: #access,
        }
    }
}

/// What the compiler checks of event handlers, since it knows the events.
fn queues(model: &ServiceModel, k: &TokenStream) -> TokenStream {
    let first = first(model);
    let self_ty = copied(&model.self_ty);
    let checks = model.entrypoints.events.iter().map(|handler| {
        let (cfgs, index) = (&handler.method.cfgs, First(first.as_ref()).index(handler.index));
        let span = at(handler.by.event.span());
        let p = moved(k, span);
        let field = entrypoints::ordered_by(handler, k);
        quote_spanned! {span=>
            #(#cfgs)*
            const _: () = #p::assert_queues(<#self_ty as #p::Service>::DESCRIPTOR, #index);
            #field
        }
    });
    quote!(#(#checks)*)
}

pub(super) fn first(model: &ServiceModel) -> Option<TokenStream> {
    model.serves_trait().then(|| quote!(__FIRST))
}

fn dispatch(model: &ServiceModel, broken: bool, k: &TokenStream) -> TokenStream {
    let (service, call) = (Ident::new("service", hidden(model.span())), Ident::new("call", hidden(model.span())));
    let self_ty = copied(&model.self_ty);
    let target = Target {
        callee: quote!(<#self_ty>),
        injects: self_ty.clone(),
        hooks: quote!(#k::Provided::<#self_ty>::hooks(&*#service)),
        service: &service,
        dependencies: &service,
        call: &call,
        access: cfg!(feature = "jwt").then_some(model.access.as_ref()),
    };
    let others = dispatch::other_arms(&model.entrypoints, &target, k);
    let structs = dispatch::structs(model.entrypoints.by_name(), k);
    let body = match &model.args.contract {
        _ if broken => quote!(#k::no_such_method(#call)),
        Some(path) if model.serves_trait() => {
            let span = at(path.span());
            let (path, k) = (copied(path), moved(k, span));
            let of_contract = quote_spanned! {span=> {
                let hooks = #k::Provided::<#self_ty>::shared(::core::clone::Clone::clone(&#service));
                #k::Contract::dispatch(&#path, #service, hooks, #call)
            }};
            let of_contract = match (guard::admit_contract(&target, &k), &model.access) {
                (None, _) => of_contract,
                // A service that looks at no tokens takes the way of the trait, and no future around it.
                (Some(admit), None) => quote! {
                    if #k::auth::JwtProbe::<#self_ty>::YES {
                        ::std::boxed::Box::pin(async move {
                            #admit
                            let work = #of_contract;
                            work.await
                        })
                    } else {
                        #of_contract
                    }
                },
                (Some(admit), Some(_)) => quote! {
                    ::std::boxed::Box::pin(async move {
                        #admit
                        let work = #of_contract;
                        work.await
                    })
                },
            };
            if model.entrypoints.has_others_than_rpc() {
                quote! {
                    #(#structs)*
                    match ::core::primitive::usize::wrapping_sub(#call.index, __FIRST) {
                        #(#others)*
                        _ => #of_contract
                    }
                }
            } else {
                of_contract
            }
        }
        _ => {
            let rpc = &model.entrypoints.rpc;
            dispatch::expand(structs, dispatch::rpc_arms(rpc, &target, k).chain(others), &target, k)
        }
    };
    let probes = cfg!(feature = "jwt").then(|| {
        quote! {
            #[allow(unused_imports)]
            use #k::auth::NoJwt as _;
        }
    });
    quote! {
        fn dispatch(
            self: ::std::sync::Arc<Self>,
            #call: #k::WorkerCall,
        ) -> #k::BoxFuture<'static, #k::Outcome> {
            #[allow(unused_imports)]
            use #k::{NotHandled as _, NotProvided as _};
            #probes
            let #service = self;
            #body
        }
    }
}

/// The constant data of a contract: the value that stands beside its trait.
fn info(path: &Path, k: &TokenStream) -> TokenStream {
    let span = at(path.span());
    let path = copied(path);
    let k = moved(k, span);
    quote_spanned!(span=> #k::info_of(&#path))
}

/// Code that is never run but does not compile unless the methods are the contract's.
fn against_contract(model: &ServiceModel, path: &Path, k: &TokenStream) -> TokenStream {
    let info = info(path, k);
    if model.serves_trait() {
        let first = quote!(const __FIRST: usize = #k::ContractInfo::next_index(&#info););
        return if model.entrypoints.has_others_than_rpc() { first } else { TokenStream::new() };
    }
    let span = at(path.span());
    let (contract, self_ty) = (copied(path), copied(&model.self_ty));
    let lists = model.entrypoints.rpc.iter().map(|rpc| {
        let (cfgs, name) = (&rpc.method.cfgs, contract::named(&rpc.method.ident, k));
        quote!(#(#cfgs)* impl #k::Lists<#name> for #self_ty {})
    });
    let checks = model.entrypoints.rpc.iter().map(|rpc| check_method(rpc, path, k));
    let covered = quote_spanned! {span=>
        #[allow(dead_code)]
        fn __covered() {
            #contract.client().__covered_by::<#self_ty>();
        }
    };
    quote! {
        const __INFO: #k::ContractInfo = #info;
        #(#lists)*
        #covered
        #(#checks)*
    }
}

fn check_method(rpc: &RpcModel, path: &Path, k: &TokenStream) -> TokenStream {
    let method = &rpc.method;
    let span = at(method.span());
    let (cfgs, name, contract) = (&method.cfgs, method.ident.to_string(), copied(path));
    let mut ident = method.ident.clone();
    ident.set_span(span);
    let check = Ident::new(&format!("__check{}", rpc.index), span);
    let params = method.arguments().map(|param| {
        let (name, ty) = (copied(&param.ident), copied(&param.ty));
        quote!(#name: #ty)
    });
    let passed = method.arguments().map(|param| copied(&param.ident));
    let Reply { received, err, .. } = Reply::of(method, k);
    let returned_span = at(method.output.written().map_or(method.ident.span(), Spanned::span));
    let moved = moved(k, returned_span);
    let returned = quote_spanned!(returned_span=> #moved::Call<#received, #err>);
    let same_params = method.arguments().enumerate().map(|(place, param)| {
        let (span, own) = (at(param.ident.span()), param_info(param, k));
        quote_spanned!(span=> #(#cfgs)* const _: () = __INFO.assert_param(#name, #place, #own);)
    });
    quote_spanned! {span=>
        #(#same_params)*

        #(#cfgs)*
        #[allow(dead_code)]
        fn #check(#(#params),*) -> #returned {
            #contract.client().#ident(#(#passed),*)
        }
    }
}
