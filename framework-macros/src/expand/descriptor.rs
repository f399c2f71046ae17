//! The constant data of methods.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::{MethodModel, ParamKind};

/// `&[Param { … }, …]`
pub(super) fn params(method: &MethodModel, k: &TokenStream) -> TokenStream {
    let params = method.arguments().map(|param| {
        let (name, required) = (param.wire_name(), param.is_required());
        let sensitive = matches!(param.kind, ParamKind::Argument { sensitive: true, .. });
        quote!(#k::Param { name: #name, required: #required, sensitive: #sensitive })
    });
    quote!(&[#(#params),*])
}

/// `MethodInfo { … }`
pub(super) fn method_info(method: &MethodModel, k: &TokenStream) -> TokenStream {
    let MethodModel { index, wire_name, doc, .. } = method;
    let (params, timeout, max_workers) = (params(method, k), duration(method.timeout), option(method.max_workers));
    quote! {
        #k::MethodInfo {
            index: #index,
            name: #wire_name,
            doc: #doc,
            params: #params,
            timeout: #timeout,
            max_workers: #max_workers,
        }
    }
}

/// `&[MethodInfo { … }, …]`, each with the `cfg` attributes of its method.
pub(super) fn method_infos(methods: &[MethodModel], k: &TokenStream) -> TokenStream {
    let infos = methods.iter().map(|method| {
        let (cfgs, info) = (&method.cfgs, method_info(method, k));
        quote!(#(#cfgs)* #info)
    });
    quote!(&[#(#infos),*])
}

pub(super) fn duration(duration: Option<Duration>) -> TokenStream {
    option(duration.map(|duration| {
        let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
        quote!(::core::time::Duration::new(#seconds, #nanos))
    }))
}

pub(super) fn option(value: Option<impl quote::ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
