//! One parameter of a method.

use quote::ToTokens;
use syn::{Attribute, Expr, FnArg, Ident, Pat, PatType, Path, Type, TypePath, ext::IdentExt, spanned::Spanned};

use super::{
    Giver, Role,
    output::ungrouped,
    place::{self, PlaceAttr},
};
use crate::{
    diag::Diag,
    syntax::{doc_text, find_borrow, find_word, take_ours},
};

pub(crate) struct ParamModel {
    pub(crate) ident: Ident,
    /// As written.
    pub(crate) ty: Type,
    pub(crate) kind: ParamKind,
    /// Its doc comment, which documents show.
    pub(crate) doc: String,
    /// Where a request carries it, if that is written.
    pub(crate) place: Option<PlaceAttr>,
}

pub(crate) enum ParamKind {
    /// From the worker.
    Inject,
    /// From the HTTP request, by axum.
    Extract,
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

    pub(crate) fn is_injected(&self) -> bool {
        matches!(self.kind, ParamKind::Inject)
    }

    pub(crate) fn is_extracted(&self) -> bool {
        matches!(self.kind, ParamKind::Extract)
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
        let doc = doc_text(&param.attrs);
        param.attrs.retain(|attr| !attr.path().is_ident("doc"));
        let inject = take_ours(&mut param.attrs, "inject", krate);
        let extract = take_ours(&mut param.attrs, "extract", krate);
        let place = place::take(param, giver, krate, diag);
        let defaults = take_ours(&mut param.attrs, "default", krate);
        if let Some(cfg) = param.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            let who = if giver.by_name() { "callers would not know; " } else { "" };
            diag.on(cfg, format!("a parameter cannot be there or not by `cfg`: {who}put it on the method"));
        }
        let extracted = inject.is_empty() && extracts(&extract, param, giver, diag);
        // Only callers and requests tell parameters apart by their names.
        let named = giver.by_name() && inject.is_empty() && !extracted;
        let ident = if named { name(&param.pat, giver, diag) } else { Some(local_name(param)) };
        if giver.caller
            && let Some(span) = find_word("Self", param.ty.to_token_stream())
        {
            diag.at(span, "`Self` would mean the client in the client; write the type's name");
        }
        let supplied = |by: &str, diag: &mut Diag| {
            if let Some(place) = &place {
                let word = place.place.word();
                diag.at(place.span, format!("{by}, so no place of it is read: leave `#[{word}]` out"));
            }
        };
        let kind = match inject.first() {
            Some(inject) => {
                injected(inject, &defaults, role, diag);
                supplied("an injected parameter comes from the worker", diag);
                ParamKind::Inject
            }
            None if extracted => {
                supplied("an extractor takes the request apart itself", diag);
                if let Some(default) = defaults.first() {
                    diag.on(
                        default,
                        "an extractor knows itself what it does without: write `Option<…>`, or leave `#[default]` out",
                    );
                }
                ParamKind::Extract
            }
            None => argument(param, &defaults, giver, diag),
        };
        (diag.count() == clean).then_some(Self { ident: ident?, ty: (*param.ty).clone(), kind, doc, place })
    }
}

/// What is read of parameters.
pub(super) const PARAMETER_ATTRIBUTES: [&str; 9] =
    ["inject", "default", "extract", "query", "header", "cookie", "body", "form", "multipart"];

/// A parameter's attributes are ours, or the compiler's own. One that looks like ours is told here: left to the compiler, it would
/// say more of the parameter's type.
fn misspelt(param: &mut PatType, diag: &mut Diag) {
    const COMPILERS: [&str; 7] = ["cfg", "cfg_attr", "allow", "expect", "warn", "deny", "forbid"];
    let name = param.pat.to_token_stream();
    let instead = |attr: &Attribute| {
        let word = attr.path().get_ident()?.to_string();
        if COMPILERS.contains(&&*word) || PARAMETER_ATTRIBUTES.contains(&&*word) {
            return None;
        }
        if word == "sensitive" {
            return Some(format!("what no log may show is named on the method: `#[rpc(sensitive({name}))]`"));
        }
        let near = kinoko_text::nearest(&word, PARAMETER_ATTRIBUTES)?;
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

const TWO_DOORS: &str = "an extractor reads an HTTP request, and this method is called without one too: take what is needed as a \
                         parameter of its own (`#[header]`, `#[query]` …), or give `#[http]` a method of its own";

/// Whether axum reads the parameter: marked so, or a pattern on a method that nothing but requests fires.
fn extracts(marked: &[Attribute], param: &PatType, giver: Giver, diag: &mut Diag) -> bool {
    let Some(attr) = marked.first() else {
        let is_name = matches!(&*param.pat, Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none());
        return giver.request && !giver.caller && !is_name;
    };
    if !matches!(attr.meta, syn::Meta::Path(_)) {
        diag.on(attr, "`#[extract]` takes no options: the parameter's type says what is read");
    }
    if !giver.request {
        diag.on(attr, "`#[extract]` reads an HTTP request: mark the method `#[http(…)]`, or leave it out");
    } else if giver.caller {
        diag.on(attr, TWO_DOORS);
    }
    true
}

fn name(pat: &Pat, giver: Giver, diag: &mut Diag) -> Option<Ident> {
    match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(pat.ident.clone()),
        _ => {
            let by_name = "callers pass a parameter by its name: write a name here, and take it apart in the body";
            let extractor = giver.request && matches!(pat, Pat::TupleStruct(_));
            diag.on(pat, if extractor { TWO_DOORS } else { by_name });
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
    if !giver.by_name()
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
    let (it, whose) = if giver.by_name() { ("an argument", "the caller's") } else { ("a payload", "the message's") };
    let pass = match ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            diag.on(reference, format!("{it} is {whose} copy: take it by value, `mut` if need be"));
            return Pass::Value;
        }
        Type::Reference(reference) => {
            if let Some(lifetime) = &reference.lifetime {
                let lives = if giver.by_name() { "call" } else { "worker" };
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
