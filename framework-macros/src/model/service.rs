//! A `#[service]` block.

use proc_macro2::Span;
use syn::{Attribute, FnArg, Ident, Path, Type, spanned::Spanned};

use super::{Access, Entrypoints, Role, output::ungrouped, param::PARAMETER_ATTRIBUTES};
use crate::{
    args::ServiceArgs,
    check,
    diag::Diag,
    syntax::{ImplBlock, cfgs, doc_text, is_ours},
};

pub(crate) struct ServiceModel {
    pub(crate) args: ServiceArgs,
    /// The type's own name, from which the client's is made.
    pub(crate) ident: Ident,
    pub(crate) self_ty: Type,
    pub(crate) doc: String,
    /// Of the whole block.
    pub(crate) cfgs: Vec<Attribute>,
    /// What holds for methods that do not say who may call.
    pub(crate) access: Option<Access>,
    /// Those that are right.
    pub(crate) entrypoints: Entrypoints,
}

impl ServiceModel {
    /// Reads a block and takes our attributes off it. `None` where not even its type is clear.
    pub(crate) fn read(args: ServiceArgs, block: &mut ImplBlock, diag: &mut Diag) -> Option<Self> {
        let ident = check::service_head(&block.head, diag);
        let access = Access::take(&mut block.head.attrs, &args.krate, diag);
        let mut entrypoints = Entrypoints { proto: args.grpc.clone(), ..Entrypoints::default() };
        for method in block.body.methods_mut() {
            if !entrypoints.read(method, Role::Service, &args.krate, diag) {
                stray_parameters(&mut method.sig.inputs, &args.krate, diag);
            }
        }
        check::methods(&mut entrypoints.rpc, diag);
        check::queues(&entrypoints.consumers, diag);
        check::routes(&entrypoints.routes, diag);
        check::names(&entrypoints.sockets, diag);
        check::grpc(&entrypoints.grpc, diag);
        check::batches_of_guarded(&entrypoints, access.as_ref(), diag);
        if args.contract.is_some() {
            check::contract_service(&entrypoints.rpc, diag);
        } else if entrypoints.count == 0 {
            let text = "nothing fires a method of this service: mark one `#[rpc]`, `#[http(…)]`, `#[grpc]`, `#[event_handler(…)]`, \
                        `#[consume(…)]` or `#[timer(…)]`, or write `#[service(contract = …)]` to serve a contract's trait";
            diag.at(block.head.self_ty.span(), text);
        }
        let self_ty = ungrouped(&block.head.self_ty).clone();
        Some(Self {
            args,
            ident: ident?,
            self_ty,
            doc: doc_text(&block.head.attrs),
            cfgs: cfgs(&block.head.attrs),
            access,
            entrypoints,
        })
    }

    /// Whether the contract's trait is served as it is, with no method for callers here.
    pub(crate) fn serves_trait(&self) -> bool {
        self.args.contract.is_some() && self.entrypoints.rpc.is_empty()
    }

    pub(crate) fn span(&self) -> Span {
        self.ident.span()
    }
}

/// `#[inject]` and the like say nothing on a method that nothing fires.
fn stray_parameters(inputs: &mut syn::punctuated::Punctuated<FnArg, syn::Token![,]>, krate: &Path, diag: &mut Diag) {
    for arg in inputs {
        let FnArg::Typed(param) = arg else { continue };
        for attr in
            param.attrs.extract_if(.., |attr| PARAMETER_ATTRIBUTES.iter().any(|name| is_ours(attr, name, krate)))
        {
            diag.on(&attr, "this attribute works on methods that something fires: mark the method, `#[rpc]` for one, or leave it out");
        }
    }
}
