//! A `#[contract]` trait.

use syn::Attribute;

use super::{MethodModel, Role};
use crate::{
    args::ContractArgs,
    check,
    diag::Diag,
    syntax::{Item, TraitBlock, cfgs, doc_text, take_ours},
};

pub(crate) struct ContractModel {
    pub(crate) args: ContractArgs,
    pub(crate) doc: String,
    /// Of the whole trait.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) methods: Vec<MethodModel>,
}

impl ContractModel {
    /// Reads a trait and takes our attributes off it.
    pub(crate) fn read(args: ContractArgs, block: &mut TraitBlock, diag: &mut Diag) -> Self {
        check::contract_head(&block.head, diag);
        let mut methods = Vec::new();
        let mut index = 0;
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
            let rpc = take_ours(&mut method.attrs, "rpc", &args.krate);
            if let Some(second) = rpc.get(1) {
                diag.on(second, "`#[rpc]` is given twice: leave one of them out");
            }
            methods.extend(MethodModel::read(method, rpc.first(), index, Role::Contract, &args.krate, diag));
            index += 1;
        }
        if index == 0 {
            diag.on(&block.head.ident, "a contract without methods cannot be called: add one");
        }
        check::methods(&mut methods, diag);
        Self { args, doc: doc_text(&block.head.attrs), cfgs: cfgs(&block.head.attrs), methods }
    }
}
