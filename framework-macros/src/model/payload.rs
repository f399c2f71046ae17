//! What a method that a message fires takes, and gives.

use syn::{GenericArgument, Ident, PathArguments, Type, TypePath};

use super::{MethodModel, Output, ParamKind, ParamModel, Pass, ungrouped};
use crate::diag::Diag;

/// What a message handler takes of the message.
pub(crate) enum Payload<'a> {
    Nothing,
    One(&'a ParamModel),
    /// The payloads of a batch.
    Batch {
        param: &'a ParamModel,
        item: &'a Type,
    },
}

impl<'a> Payload<'a> {
    pub(crate) fn of(method: &'a MethodModel, is_batch: bool) -> Self {
        match method.arguments().next() {
            None => Self::Nothing,
            Some(param) => match batch_item(param).filter(|_| is_batch) {
                Some(item) => Self::Batch { param, item },
                None => Self::One(param),
            },
        }
    }
}

/// The `T` of a parameter that is written `Vec<T>`, `&[T]` or `&Vec<T>`.
fn batch_item(param: &ParamModel) -> Option<&Type> {
    let ParamKind::Argument { pass, .. } = &param.kind else { return None };
    match pass {
        Pass::Slice(item) => Some(item),
        Pass::Value => item_of_vec(&param.ty),
        Pass::Reference(inner) => item_of_vec(inner),
        Pass::Text => None,
    }
}

fn item_of_vec(ty: &Type) -> Option<&Type> {
    let Type::Path(TypePath { qself: None, path, .. }) = ungrouped(ty) else { return None };
    let last = path.segments.last().filter(|last| last.ident == "Vec")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(item)) if arguments.args.len() == 1 => Some(item),
        _ => None,
    }
}

/// A message has one payload, a batch several of one type.
pub(super) fn check(method: &MethodModel, batch: Option<&(Ident, usize)>, diag: &mut Diag) {
    output(method, diag);
    let mut params = method.arguments();
    let first = params.next();
    for more in params {
        let text = "a message has one payload: put what is needed into one type that derives `Deserialize`, and mark what the \
                    framework supplies `#[inject]`";
        diag.on(&more.ty, text);
    }
    let Some((key, _)) = batch else { return };
    match first {
        None => diag.on(key, "a batch is handed over in one parameter: write `payloads: Vec<SomeType>`"),
        Some(param) if batch_item(param).is_none() => {
            let written = quote::ToTokens::to_token_stream(&param.ty).to_string().replace("& ", "");
            let text = format!("with `batch` the method takes several payloads: write `Vec<{written}>`");
            diag.on(&param.ty, text);
        }
        Some(_) => {}
    }
}

/// The clock gives nothing.
pub(super) fn none(method: &MethodModel, attribute: &Ident, diag: &mut Diag) {
    output(method, diag);
    for param in method.arguments() {
        let text = format!(
            "the clock passes no arguments: mark what the framework supplies `#[inject]`, or leave `#[{attribute}]` out"
        );
        diag.on(&param.ident, text);
    }
}

fn output(method: &MethodModel, diag: &mut Diag) {
    for param in method.params.iter().filter(|param| param.is_extracted()) {
        let text = "an extractor reads an HTTP request, and this method is fired without one too: give `#[http]` a method of its own";
        diag.on(&param.ty, text);
    }
    if let Output::Unknown(written) = &method.output
        && matches!(written, Type::ImplTrait(_) | Type::TraitObject(_) | Type::Never(_) | Type::Infer(_))
    {
        diag.on(written, "nobody receives what this method returns: write nothing, or `Result<(), E>`");
    }
}
