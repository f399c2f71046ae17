//! A `#[contract]` trait.

use syn::Attribute;

use super::{Entrypoints, Role, RpcModel};
use crate::{
    args::ContractArgs,
    check,
    diag::Diag,
    syntax::{Item, TraitBlock, cfgs, doc_text},
};

pub(crate) struct ContractModel {
    pub(crate) args: ContractArgs,
    pub(crate) doc: String,
    /// Of the whole trait.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) methods: Vec<RpcModel>,
}

impl ContractModel {
    /// Reads a trait and takes our attributes off it.
    pub(crate) fn read(args: ContractArgs, block: &mut TraitBlock, diag: &mut Diag) -> Self {
        check::contract_head(&block.head, diag);
        let mut entrypoints = Entrypoints::default();
        for item in &mut block.body.items {
            let Item::Fn(method) = item else {
                if let Item::Other(other) = item {
                    diag.on(&*other, "a contract has methods alone: what else is needed goes beside the trait");
                }
                continue;
            };
            if method.has_body() {
                diag.on(&method.body, "a contract says what callers send, not how it is done: end the method with `;`");
            }
            entrypoints.read(method, Role::Contract, &args.krate, diag);
        }
        if entrypoints.count == 0 {
            diag.on(&block.head.ident, "a contract without methods cannot be called: add one");
        }
        check::methods(&mut entrypoints.rpc, diag);
        let (doc, cfgs) = (doc_text(&block.head.attrs), cfgs(&block.head.attrs));
        Self { args, doc, cfgs, methods: entrypoints.rpc }
    }
}
