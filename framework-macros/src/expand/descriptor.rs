//! The constant data of methods.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Type;

use super::output::{Reply, held};
use crate::{
    model::{MethodModel, Output, ParamKind, ParamModel, RpcModel},
    syntax::copied,
};

pub(super) use crate::syntax::spelled;

/// `&[Param { … }, …]`
pub(super) fn params(method: &MethodModel, k: &TokenStream) -> TokenStream {
    let params = method.arguments().map(|param| param_info(param, k));
    quote!(&[#(#params),*])
}

/// `Param { … }`
pub(super) fn param_info(param: &ParamModel, k: &TokenStream) -> TokenStream {
    let (name, required) = (param.wire_name(), param.is_required());
    let (sensitive, default) = match &param.kind {
        ParamKind::Argument { sensitive, default, .. } => (*sensitive, default.as_deref().map(spelled)),
        ParamKind::Inject | ParamKind::Extract => (false, None),
    };
    let (ty, default) = (spelled(&param.ty), option(default));
    quote! {
        #k::Param { name: #name, ty: #ty, default: #default, required: #required, sensitive: #sensitive }
    }
}

/// `MethodInfo { … }`
pub(super) fn method_info(rpc: &RpcModel, k: &TokenStream) -> TokenStream {
    let (index, method, wire_name, doc) = (rpc.index, &rpc.method, &rpc.by.wire_name, &rpc.method.doc);
    let (params, timeout, max_workers) = (params(method, k), duration(rpc.by.timeout), option(rpc.by.max_workers));
    let (returns, error) = match &method.output {
        Output::Result(result) => (spelled(&result.ok), Some(spelled(&result.err))),
        output => (output.written().map_or_else(String::new, spelled), None),
    };
    let (error, shapes) = (option(error), shapes(method, k));
    quote! {
        #k::MethodInfo {
            index: #index,
            name: #wire_name,
            doc: #doc,
            params: #params,
            returns: #returns,
            error: #error,
            timeout: #timeout,
            max_workers: #max_workers,
            shapes: #shapes,
        }
    }
}

/// `MethodShapes { … }`
pub(super) fn shapes(method: &MethodModel, k: &TokenStream) -> TokenStream {
    let params = method.arguments().map(|param| shape(&param.ty, k));
    let Reply { received, err, .. } = Reply::of(method, k);
    quote! {
        #k::MethodShapes {
            params: &[#(#params),*],
            ok: #k::shape!(#received),
            errors: <#err as #k::DescribesErrors<{ #[allow(unused_imports)] use #k::NotServiceError as _; #k::ServiceErrorProbe::<#err>::YES }>>::VARIANTS,
        }
    }
}

/// What a type looks like in documents: owned, since a borrow has no schema of its own.
pub(super) fn shape(ty: &Type, k: &TokenStream) -> TokenStream {
    let ty = copied(held(ty));
    quote!(#k::shape!(#ty))
}

/// `&[MethodInfo { … }, …]`, each with the `cfg` attributes of its method.
pub(super) fn method_infos(methods: &[RpcModel], k: &TokenStream) -> TokenStream {
    let infos = methods.iter().map(|rpc| {
        let (cfgs, info) = (&rpc.method.cfgs, method_info(rpc, k));
        quote!(#(#cfgs)* #info)
    });
    quote!(&[#(#infos),*])
}

pub(super) fn duration(duration: Option<Duration>) -> TokenStream {
    option(duration.map(time))
}

pub(super) fn time(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

pub(super) fn option(value: Option<impl quote::ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::spelled;

    #[test]
    fn types_are_spelled_as_people_write_them() {
        for (tokens, text) in [
            (quote!(Vec<(String, Option<u8>)>), "Vec<(String, Option<u8>)>"),
            (quote!(std::collections::HashMap<String, [u8; 4]>), "std::collections::HashMap<String, [u8; 4]>"),
            (quote!(&[Line]), "&[Line]"),
            (quote!(()), "()"),
            (quote!(Cow<'static, str>), "Cow<'static, str>"),
            (quote!(Money::new(1, "EUR")), "Money::new(1, \"EUR\")"),
            (quote!(-1.5), "-1.5"),
        ] {
            assert_eq!(spelled(&tokens), text);
        }
    }
}
