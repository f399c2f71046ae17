//! One parameter of a method.

use quote::ToTokens;
use syn::{Attribute, Expr, FnArg, Ident, Pat, PatType, Path, Type, TypePath, ext::IdentExt, spanned::Spanned};

use super::{Giver, Role, output::ungrouped};
use crate::{
    diag::Diag,
    syntax::{find_borrow, find_word, take_ours},
};

pub(crate) struct ParamModel {
    pub(crate) ident: Ident,
    /// As written.
    pub(crate) ty: Type,
    pub(crate) kind: ParamKind,
}

pub(crate) enum ParamKind {
    /// From the worker.
    Inject,
    /// From the caller, or from the message.
    Argument {
        pass: Pass,
        /// Written `Option<…>`: missing means `None`.
        optional: bool,
        default: Option<Box<Expr>>,
        sensitive: bool,
    },
}

/// How the decoded value is handed to the method.
pub(crate) enum Pass {
    Value,
    /// `&str`
    Text,
    /// `&[T]`
    Slice(Box<Type>),
    /// `&T`
    Reference(Box<Type>),
}

impl ParamModel {
    /// The name that callers use.
    pub(crate) fn wire_name(&self) -> String {
        self.ident.unraw().to_string()
    }

    pub(crate) fn is_argument(&self) -> bool {
        matches!(self.kind, ParamKind::Argument { .. })
    }

    /// Whether a call without it is refused.
    pub(crate) fn is_required(&self) -> bool {
        matches!(self.kind, ParamKind::Argument { optional: false, default: None, .. })
    }

    /// Reads one parameter and takes our attributes off it.
    pub(crate) fn read(arg: &mut FnArg, giver: Giver, role: Role, krate: &Path, diag: &mut Diag) -> Option<Self> {
        let FnArg::Typed(param) = arg else { return None };
        let clean = diag.count();
        misspelt(param, diag);
        let inject = take_ours(&mut param.attrs, "inject", krate);
        let defaults = take_ours(&mut param.attrs, "default", krate);
        if let Some(cfg) = param.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            let who = match giver {
                Giver::Caller => "callers would not know; ",
                Giver::Message => "",
            };
            diag.on(cfg, format!("a parameter cannot be there or not by `cfg`: {who}put it on the method"));
        }
        // Only callers pass a parameter by its name.
        let named = giver == Giver::Caller && inject.is_empty();
        let ident = if named { name(&param.pat, diag) } else { Some(local_name(param)) };
        if giver == Giver::Caller
            && let Some(span) = find_word("Self", param.ty.to_token_stream())
        {
            diag.at(span, "`Self` would mean the client in the client; write the type's name");
        }
        let kind = match inject.first() {
            Some(inject) => {
                injected(inject, &defaults, role, diag);
                ParamKind::Inject
            }
            None => argument(param, &defaults, giver, diag),
        };
        (diag.count() == clean).then_some(Self { ident: ident?, ty: (*param.ty).clone(), kind })
    }
}

/// A parameter's attributes are ours, or the compiler's own. One that looks like ours is told here: left to the compiler, it would
/// say more of the parameter's type.
fn misspelt(param: &mut PatType, diag: &mut Diag) {
    const COMPILERS: [&str; 7] = ["cfg", "cfg_attr", "allow", "expect", "warn", "deny", "forbid"];
    const OURS: [&str; 2] = ["inject", "default"];
    let name = param.pat.to_token_stream();
    let instead = |attr: &Attribute| {
        let word = attr.path().get_ident()?.to_string();
        if COMPILERS.contains(&&*word) || OURS.contains(&&*word) {
            return None;
        }
        if word == "sensitive" {
            return Some(format!("what no log may show is named on the method: `#[rpc(sensitive({name}))]`"));
        }
        let near = kinoko_text::nearest(&word, OURS)?;
        Some(format!("no parameter has an attribute `{word}`: did you mean `#[{near}]`?"))
    };
    param.attrs.retain(|attr| match instead(attr) {
        Some(text) => {
            diag.on(attr, text);
            false
        }
        None => true,
    });
}

fn name(pat: &Pat, diag: &mut Diag) -> Option<Ident> {
    match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
        _ => {
            diag.on(pat, "callers pass a parameter by its name: write a name here, and take it apart in the body");
            None
        }
    }
}

/// Nobody names an injected parameter or a payload, so it may be any pattern: `#[inject] Language(language): Language`.
fn local_name(param: &PatType) -> Ident {
    match &*param.pat {
        Pat::Ident(pat) => pat.ident.clone(),
        other => {
            let written = format!("{}_{}", other.to_token_stream(), param.ty.to_token_stream());
            let letters: String = written.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            Ident::new(&format!("pattern_{letters}"), other.span())
        }
    }
}

fn injected(inject: &Attribute, defaults: &[Attribute], role: Role, diag: &mut Diag) {
    if !matches!(inject.meta, syn::Meta::Path(_)) {
        diag.on(inject, "`#[inject]` takes no options: the parameter's type says what is injected");
    }
    if role == Role::Contract {
        let text = "a contract says what callers send, and they do not send this: leave it out here, and put the methods \
                    into the `#[service(contract = …)]` block, where they may have `#[inject]` parameters";
        diag.on(inject, text);
    }
    if let Some(default) = defaults.first() {
        diag.on(default, "an injected parameter comes from the worker, never from a default: leave `#[default]` out");
    }
}

fn argument(param: &PatType, defaults: &[Attribute], giver: Giver, diag: &mut Diag) -> ParamKind {
    if giver == Giver::Message
        && let Some(default) = defaults.first()
    {
        let text = "a default is for what callers leave out, and no caller fires this method: write `#[serde(default)]` \
                    on the payload's field, or leave it out";
        diag.on(default, text);
    }
    let default = defaults.first().and_then(|attr| match attr.parse_args::<Expr>() {
        Ok(value) => {
            if let Some(span) = find_word("self", value.to_token_stream()) {
                let text =
                    "a default does not see the service: leave `self` out, or take an `Option` and decide in the body";
                diag.at(span, text);
            }
            Some(Box::new(value))
        }
        Err(_) => {
            diag.on(attr, "`#[default]` takes one value: `#[default(20)]`");
            None
        }
    });
    if let Some(second) = defaults.get(1) {
        diag.on(second, "`#[default]` is given twice: leave one of them out");
    }
    let optional = matches!(ungrouped(&param.ty), Type::Path(TypePath { qself: None, path, .. })
        if path.segments.last().is_some_and(|last| last.ident == "Option"));
    ParamKind::Argument { pass: pass(&param.ty, giver, diag), optional, default, sensitive: false }
}

fn pass(ty: &Type, giver: Giver, diag: &mut Diag) -> Pass {
    let ty = ungrouped(ty);
    let (it, whose) = match giver {
        Giver::Caller => ("an argument", "the caller's"),
        Giver::Message => ("a payload", "the message's"),
    };
    let pass = match ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            diag.on(reference, format!("{it} is {whose} copy: take it by value, `mut` if need be"));
            return Pass::Value;
        }
        Type::Reference(reference) => {
            if let Some(lifetime) = &reference.lifetime {
                let lives = match giver {
                    Giver::Caller => "call",
                    Giver::Message => "worker",
                };
                diag.on(lifetime, format!("{it} lives as long as its {lives}: leave the lifetime out"));
                return Pass::Value;
            }
            match ungrouped(&reference.elem) {
                Type::Path(path) if path.path.is_ident("str") => Pass::Text,
                Type::Slice(slice) => Pass::Slice(slice.elem.clone()),
                other => Pass::Reference(Box::new(other.clone())),
            }
        }
        _ => Pass::Value,
    };
    let inner = match &pass {
        Pass::Value => ty,
        Pass::Text => return pass,
        Pass::Slice(inner) | Pass::Reference(inner) => inner,
    };
    match inner {
        Type::ImplTrait(_) => {
            let text =
                format!("an entrypoint cannot be generic: {whose} bytes do not choose a type; write the concrete type");
            diag.on(inner, text);
        }
        Type::TraitObject(_) => {
            diag.on(inner, format!("{whose} bytes do not choose a type: write the concrete type instead of `dyn`"));
        }
        _ => {
            if let Some(span) = find_borrow(inner.to_token_stream()) {
                diag.at(
                    span,
                    format!("{it} borrows at the front alone (`&str`, `&[T]`, `&T`); write an owned type here"),
                );
            }
        }
    }
    pass
}
