//! A method with `#[policy(…)]`.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{FnArg, Ident, Pat, PatType, Path, Receiver, ReceiverKind, Signature, Type, spanned::Spanned};

use super::{Output, output::ungrouped};
use crate::{
    args::{By, PolicyArgs},
    diag::Diag,
    syntax::{Method, find_word},
};

pub(crate) struct PolicyModel {
    pub(crate) by: By,
    pub(crate) classify: Option<Path>,
    pub(crate) fallback: Option<Path>,
    pub(crate) krate: Path,
    /// The `self` of a method.
    pub(crate) receiver: Option<Span>,
    pub(crate) params: Vec<PolicyParam>,
    /// What it returns, and the error in it where the spelling tells.
    pub(crate) returns: Type,
    pub(crate) err: Option<Type>,
    /// Whether its body is written to be done again.
    pub(crate) repeats: bool,
}

pub(crate) struct PolicyParam {
    /// As written.
    pub(crate) pat: Pat,
    /// Its name, where the pattern is one.
    pub(crate) ident: Option<Ident>,
    /// Taken as `&T`: there are as many of it as needed.
    pub(crate) is_shared: bool,
}

impl PolicyModel {
    /// `None` after an error.
    pub(crate) fn read(args: PolicyArgs, method: &Method, diag: &mut Diag) -> Option<Self> {
        let clean = diag.count();
        let sig = &method.sig;
        if sig.asyncness.is_none() {
            diag.on(sig.fn_token, "a policy waits, for a place or before another attempt: write `async fn`");
        }
        if !method.has_body() {
            let text =
                "a policy goes around what is done: write `#[policy(…)]` on the method that does it, not in the trait";
            diag.on(&sig.ident, text);
        }
        let receiver = receiver(sig, diag);
        if receiver.is_none()
            && let Some(by @ (By::Field(_) | By::Named(_))) = &args.by
            && !sig.inputs.iter().any(|arg| matches!(arg, FnArg::Receiver(_)))
        {
            let at = match by {
                By::Field(field) => field.to_token_stream(),
                By::Named(ident) => ident.to_token_stream(),
                By::Own { .. } => return None,
            };
            let text = "a function without `&self` has no fields: give it a policy of its own, `#[policy(timeout = \"2s\", retry = 3, breaker)]`";
            diag.on(at, text);
        }
        let repeats = match &args.by {
            Some(By::Own { options, .. }) => options.iter().any(|option| option.key == "retry"),
            // What the field's policy does is said elsewhere, and may change while it runs.
            _ => true,
        };
        let params = params(sig, repeats, args.fallback.is_some(), diag);
        let (returns, err) = returned(sig, diag)?;
        let by = args.by?;
        (diag.count() == clean).then(|| Self {
            by,
            classify: args.classify,
            fallback: args.fallback,
            krate: args.krate,
            receiver: receiver.map(|receiver| receiver.self_token.span),
            params,
            returns,
            err,
            repeats,
        })
    }

    /// Whether what it is given may be needed more than once.
    pub(crate) fn keeps_params(&self) -> bool {
        self.repeats || self.fallback.is_some()
    }
}

fn receiver<'a>(sig: &'a Signature, diag: &mut Diag) -> Option<&'a Receiver> {
    let Some(FnArg::Receiver(receiver)) = sig.inputs.first() else { return None };
    match &receiver.kind {
        ReceiverKind::Reference(_, _, None) if receiver.mutability.is_none() => Some(receiver),
        _ => {
            let text =
                "attempts share what they are made on: take `&self`, and keep what changes in a `Mutex` or an atomic";
            diag.on(receiver, text);
            None
        }
    }
}

fn params(sig: &Signature, repeats: bool, falls_back: bool, diag: &mut Diag) -> Vec<PolicyParam> {
    let typed = sig.inputs.iter().filter_map(|arg| match arg {
        FnArg::Typed(param) => Some(param),
        FnArg::Receiver(_) => None,
    });
    let read = |param: &PatType| {
        let ident = match &*param.pat {
            Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(pat.ident.clone()),
            _ => None,
        };
        let is_shared = match ungrouped(&param.ty) {
            Type::Reference(reference) if reference.mutability.is_some() => {
                if repeats || falls_back {
                    let text = "another attempt, or a fallback, would find what the last one changed: take it by value or as `&`, or leave \
                                `retry` and `fallback` out";
                    diag.on(&param.ty, text);
                }
                false
            }
            Type::Reference(_) => true,
            _ => false,
        };
        PolicyParam { pat: (*param.pat).clone(), ident, is_shared }
    };
    typed.map(read).collect()
}

/// What it returns, and the error in it.
fn returned(sig: &Signature, diag: &mut Diag) -> Option<(Type, Option<Type>)> {
    let text = "a policy ends what fails or is late, and this cannot fail: return a `Result<T, E>`";
    match Output::read(&sig.output) {
        Output::Plain(None) => diag.on(&sig.ident, text),
        Output::Plain(Some(ty)) => diag.on(ty, text),
        Output::Result(_) | Output::Unknown(_) if let Some(word) = find_word("impl", sig.output.to_token_stream()) => {
            diag.at(word, "a policy has to name what it returns: write the type");
        }
        Output::Result(result) => return Some((result.whole.clone(), Some(result.err.clone()))),
        Output::Unknown(ty) => return Some((ty, None)),
    }
    None
}

impl PolicyParam {
    /// Where it is told that it cannot be had again.
    pub(crate) fn span(&self) -> Span {
        self.ident.as_ref().map_or_else(|| self.pat.span(), Ident::span)
    }
}
