//! A `#[service]` block.

use proc_macro2::Span;
use syn::{Attribute, FnArg, Ident, Path, Type, spanned::Spanned};

use super::{MethodModel, Role, output::ungrouped};
use crate::{
    args::ServiceArgs,
    check,
    diag::Diag,
    syntax::{ImplBlock, cfgs, doc_text, is_ours, take_ours},
};

pub(crate) struct ServiceModel {
    pub(crate) args: ServiceArgs,
    /// The type's own name, from which the client's is made.
    pub(crate) ident: Ident,
    pub(crate) self_ty: Type,
    pub(crate) doc: String,
    /// Of the whole block.
    pub(crate) cfgs: Vec<Attribute>,
    /// The methods that are right.
    pub(crate) methods: Vec<MethodModel>,
}

impl ServiceModel {
    /// Reads a block and takes our attributes off it. `None` where not even its type is clear.
    pub(crate) fn read(args: ServiceArgs, block: &mut ImplBlock, diag: &mut Diag) -> Option<Self> {
        let ident = check::service_head(&block.head, diag);
        let mut methods = Vec::new();
        let mut entrypoints = 0;
        for method in block.body.methods_mut() {
            let rpc = take_ours(&mut method.attrs, "rpc", &args.krate);
            if let Some(second) = rpc.get(1) {
                diag.on(second, "`#[rpc]` is given twice: leave one of them out");
            }
            if let Some(rpc) = rpc.first() {
                methods.extend(MethodModel::read(method, Some(rpc), entrypoints, Role::Service, &args.krate, diag));
                entrypoints += 1;
            } else {
                stray_parameters(&mut method.sig.inputs, &args.krate, diag);
            }
        }
        check::methods(&mut methods, diag);
        if args.contract.is_some() {
            check::contract_service(&methods, diag);
        } else if entrypoints == 0 {
            let text = "no method is marked `#[rpc]`: mark one, or write `#[service(contract = …)]` to serve a contract's trait";
            diag.at(block.head.self_ty.span(), text);
        }
        let self_ty = ungrouped(&block.head.self_ty).clone();
        Some(Self {
            args,
            ident: ident?,
            self_ty,
            doc: doc_text(&block.head.attrs),
            cfgs: cfgs(&block.head.attrs),
            methods,
        })
    }

    /// Whether the contract's trait is served as it is, with no method here.
    pub(crate) fn serves_trait(&self) -> bool {
        self.args.contract.is_some() && self.methods.is_empty()
    }

    pub(crate) fn span(&self) -> Span {
        self.ident.span()
    }
}

/// `#[inject]` and `#[default]` say nothing on a method that nobody calls from outside.
fn stray_parameters(inputs: &mut syn::punctuated::Punctuated<FnArg, syn::Token![,]>, krate: &Path, diag: &mut Diag) {
    for arg in inputs {
        let FnArg::Typed(param) = arg else { continue };
        for attr in param.attrs.extract_if(.., |attr| is_ours(attr, "inject", krate) || is_ours(attr, "default", krate))
        {
            diag.on(&attr, "this attribute works on methods marked `#[rpc]`: mark the method, or leave it out");
        }
    }
}
