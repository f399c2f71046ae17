//! One method that something fires, whatever that is.

use std::rc::Rc;

use proc_macro2::Span;
use syn::{Attribute, Ident, Path};

use super::{Access, Output, ParamModel};
use crate::{
    check,
    diag::Diag,
    syntax::{Method, cfgs, doc_text, docs},
};

/// Where a method stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Service,
    Contract,
}

/// Who gives a method's parameters that are not injected; a message, where neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Giver {
    /// A caller, by their names.
    pub(crate) caller: bool,
    /// An HTTP request.
    pub(crate) request: bool,
}

impl Giver {
    /// Whether parameters are told apart by their names.
    pub(crate) fn by_name(self) -> bool {
        self.caller || self.request
    }
}

pub(crate) struct MethodModel {
    /// The index of its first entrypoint.
    pub(crate) first: usize,
    pub(crate) ident: Ident,
    pub(crate) doc: String,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) is_async: bool,
    pub(crate) params: Vec<ParamModel>,
    pub(crate) output: Output,
    /// What it says of who may call, where it does.
    pub(crate) access: Option<Access>,
}

/// One attribute of one method: what fires it, and how.
pub(crate) struct Entrypoint<K> {
    /// What dispatch knows it by. Counts cfg'd-out methods too, so that it is the same in every build.
    pub(crate) index: usize,
    pub(crate) method: Rc<MethodModel>,
    pub(crate) by: K,
}

impl MethodModel {
    /// What is not injected, in order.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &ParamModel> {
        self.params.iter().filter(|param| param.is_argument())
    }

    /// Where its errors point.
    pub(crate) fn span(&self) -> Span {
        self.ident.span()
    }

    /// Reads a method, and takes our attributes off its parameters. `None` after an error.
    pub(crate) fn read(
        method: &mut Method,
        first: usize,
        giver: Giver,
        role: Role,
        krate: &Path,
        diag: &mut Diag,
    ) -> Option<Self> {
        let clean = diag.count();
        check::signature(&method.sig, diag);
        let inputs = method.sig.inputs.iter_mut();
        let params: Vec<_> = inputs.filter_map(|arg| ParamModel::read(arg, giver, role, krate, diag)).collect();
        (diag.count() == clean).then(|| Self {
            first,
            ident: method.sig.ident.clone(),
            doc: doc_text(&method.attrs),
            docs: docs(&method.attrs),
            cfgs: cfgs(&method.attrs),
            is_async: method.sig.asyncness.is_some(),
            params,
            output: Output::read(&method.sig.output),
            access: None,
        })
    }
}
