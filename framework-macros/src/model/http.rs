//! A method that an HTTP request fires.

use quote::ToTokens;
use syn::{Type, ext::IdentExt};

use super::{Entrypoint, MethodModel, Output, ParamKind, ParamModel, place::WrittenPlace, rpc::mark_sensitive};
use crate::{
    args::HttpArgs,
    diag::Diag,
    syntax::{find_borrow, find_word},
};

pub(crate) type HttpModel = Entrypoint<Http>;

/// What `#[http]` says of a method.
pub(crate) struct Http {
    pub(crate) args: HttpArgs,
    /// Of each argument, in order.
    pub(crate) places: Vec<Place>,
    /// Whether extractors take the request apart, body and all.
    pub(crate) extracts: bool,
}

/// Where a request carries an argument, and what it is called there.
pub(crate) struct Place {
    pub(crate) kind: PlaceKind,
    pub(crate) name: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlaceKind {
    Path,
    Query,
    Header,
    Cookie,
    Body(Format),
    Field(Format),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Form,
    Multipart,
}

impl Http {
    /// What the attribute says of the method.
    pub(crate) fn read(args: HttpArgs, method: &mut MethodModel, diag: &mut Diag) -> Self {
        mark_sensitive(&mut method.params, &args.sensitive, diag);
        path_has_parameters(&args, method, diag);
        returned(&method.output, diag);
        if let Some((204, span)) = args.status
            && method.output.ok().is_some_and(|ok| ok.to_token_stream().to_string() != "()")
        {
            let text = "an answer with 204 has no content, and this method returns some: write another status, or return nothing";
            diag.at(span, text);
        }
        let mut places: Vec<Place> = method.arguments().filter_map(|param| place(&args, param, diag)).collect();
        let body: Vec<usize> = (0..places.len()).filter(|at| matches!(places[*at].kind, PlaceKind::Body(_))).collect();
        let whole =
            method.arguments().find(|param| param.place.as_ref().is_some_and(|attr| attr.place == WrittenPlace::Body));
        if body.len() > 1 {
            if let Some(attr) = whole.and_then(|param| param.place.as_ref()) {
                let text = "`#[body]` takes the whole body, and another parameter comes from it too: leave it out for fields of one \
                            object, or mark the other `#[query]`";
                diag.at(attr.span, text);
            }
            one_format(&places, method, diag);
            for at in &body {
                if let PlaceKind::Body(format) = places[*at].kind {
                    places[*at].kind = PlaceKind::Field(format);
                }
            }
        }
        let extracts = body.is_empty() && method.params.iter().any(ParamModel::is_extracted);
        Self { args, places, extracts }
    }
}

/// Each parameter that the path names is one of the method.
fn path_has_parameters(args: &HttpArgs, method: &MethodModel, diag: &mut Diag) {
    let extracted = method.params.iter().any(ParamModel::is_extracted);
    for name in &args.path.params {
        let found = method.params.iter().find(|param| param.wire_name() == *name);
        match found.map(|param| &param.kind) {
            Some(ParamKind::Argument { .. }) => {}
            Some(ParamKind::Inject) => {
                let text = format!("`{name}` is injected and comes from no request: take `{{{name}}}` out of the path");
                diag.at(args.path.span, text);
            }
            // `Path(id): Path<u32>` names none.
            Some(ParamKind::Extract) | None if extracted => {}
            Some(ParamKind::Extract) | None => {
                let method = method.ident.unraw();
                let text = format!(
                    "no parameter named `{name}`: add `{name}: …` to `{method}`, or take `{{{name}}}` out of the path"
                );
                diag.at(args.path.span, text);
            }
        }
    }
}

fn place(args: &HttpArgs, param: &ParamModel, diag: &mut Diag) -> Option<Place> {
    let name = param.wire_name();
    let in_path = args.path.params.contains(&name);
    let Some(attr) = &param.place else {
        let kind = match () {
            () if in_path => PlaceKind::Path,
            () if args.has_body() => PlaceKind::Body(Format::Json),
            () => PlaceKind::Query,
        };
        return Some(Place { kind, name });
    };
    let word = attr.place.word();
    if in_path {
        diag.at(attr.span, format!("the path names `{name}`, so it comes from there: leave `#[{word}]` out"));
        return None;
    }
    let format = match attr.place {
        WrittenPlace::Query => return Some(Place { kind: PlaceKind::Query, name }),
        WrittenPlace::Header => {
            let name = attr.name.clone().unwrap_or_else(|| name.replace('_', "-").to_ascii_lowercase());
            return Some(Place { kind: PlaceKind::Header, name });
        }
        WrittenPlace::Cookie => {
            return Some(Place { kind: PlaceKind::Cookie, name: attr.name.clone().unwrap_or(name) });
        }
        WrittenPlace::Body => Format::Json,
        WrittenPlace::Form => Format::Form,
        WrittenPlace::Multipart => Format::Multipart,
    };
    if !args.has_body() {
        diag.at(attr.span, format!("a {} request has no body: write POST, PUT or PATCH, or `#[query]`", args.verb));
        return None;
    }
    Some(Place { kind: PlaceKind::Body(format), name })
}

fn one_format(places: &[Place], method: &MethodModel, diag: &mut Diag) {
    let mut first = None;
    for (place, param) in places.iter().zip(method.arguments()) {
        let PlaceKind::Body(format) = place.kind else { continue };
        if *first.get_or_insert(format) != format {
            let text = "a body is JSON, a form or multipart, and all that comes from it is of that kind: mark each such parameter \
                        alike";
            diag.on(&param.ident, text);
            return;
        }
    }
}

fn returned(output: &Output, diag: &mut Diag) {
    let Some(written) = output.written() else { return };
    let opaque = |ty: &Type| matches!(ty, Type::ImplTrait(_) | Type::TraitObject(_) | Type::Never(_) | Type::Infer(_));
    if let Some(unclear) = [Some(written), output.ok()].into_iter().flatten().find(|ty| opaque(ty)) {
        diag.on(unclear, "documents name the type of an answer: write it, or axum's `Response`");
        return;
    }
    if let Some(span) = find_word("impl", written.to_token_stream()) {
        let text = "documents name the type of an answer, also inside: write it, such as `Sse<BoxStream<'static, …>>`, or axum's `Response`";
        diag.at(span, text);
        return;
    }
    if let Some(span) = output.ok().and_then(|ok| find_borrow(ok.to_token_stream())) {
        diag.at(span, "an answer outlives its worker: return an owned type");
    }
}
