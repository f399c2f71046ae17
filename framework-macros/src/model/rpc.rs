//! A method that callers fire.

use std::time::Duration;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Ident, Path, Type, ext::IdentExt, spanned::Spanned};

use super::{
    Entrypoint, MethodModel, Output, ParamKind, ParamModel, Role,
    output::{same, ungrouped},
};
use crate::{
    args::{Expected, IdempotentArgs, RpcArgs},
    diag::{Diag, known},
    syntax::{find_borrow, find_word},
};

pub(crate) type RpcModel = Entrypoint<Rpc>;

/// What `#[rpc]` says of a method.
pub(crate) struct Rpc {
    pub(crate) wire_name: String,
    /// The key `name`, where it was written.
    pub(crate) renamed: Option<Span>,
    /// Patterns of errors that the log need not call errors. A pattern that is the error type itself means all of them.
    pub(crate) expected: Vec<Path>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_workers: Option<usize>,
    pub(crate) idempotent: Option<IdempotentArgs>,
}

impl Rpc {
    /// What the attribute says of the method.
    pub(crate) fn read(args: RpcArgs, method: &mut MethodModel, role: Role, diag: &mut Diag) -> Self {
        mark_sensitive(&mut method.params, &args.sensitive, diag);
        returned(&method.output, diag);
        let expected =
            args.expected.map(|expected| expected_variants(expected, &method.output, diag)).unwrap_or_default();
        if role == Role::Contract
            && let Some((key, _)) = &args.max_workers
        {
            diag.on(
                key,
                "how many workers run is the service's choice: write `max_workers` on its method, not in the contract",
            );
        }
        if role == Role::Contract
            && let Some(idempotent) = &args.idempotent
        {
            diag.on(
                &idempotent.key,
                "what a service remembers is its own choice: write `idempotent` on its method, not in the contract",
            );
        }
        let renamed = args.name.as_ref().map(|(key, _)| key.span());
        Self {
            wire_name: args.name.map_or_else(|| method.ident.unraw().to_string(), |(_, name)| name),
            renamed,
            expected,
            timeout: args.timeout,
            max_workers: args.max_workers.map(|(_, count)| count),
            idempotent: args.idempotent,
        }
    }
}

pub(super) fn mark_sensitive(params: &mut [ParamModel], names: &[Ident], diag: &mut Diag) {
    for name in names {
        let found = params.iter_mut().find(|param| param.ident == *name);
        match found.map(|param| &mut param.kind) {
            Some(ParamKind::Argument { sensitive, .. }) => *sensitive = true,
            Some(ParamKind::Inject) => {
                diag.on(name, format!("`{name}` is injected, so no caller sends it and no log shows it: leave it out"));
            }
            Some(ParamKind::Extract) => {
                diag.on(name, format!("`{name}` is an extractor, which no log shows: leave it out"));
            }
            None => {
                let words: Vec<String> =
                    params.iter().filter(|param| param.is_argument()).map(|param| param.ident.to_string()).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let list = match words.as_slice() {
                    [] => "the method has none".to_owned(),
                    words => known(&name.to_string(), "the parameters are", words),
                };
                diag.on(name, format!("no parameter named `{name}`: {list}"));
            }
        }
    }
}

fn returned(output: &Output, diag: &mut Diag) {
    let Some(written) = output.written() else { return };
    if let Some(span) = find_word("Self", written.to_token_stream()) {
        diag.at(span, "`Self` would mean the client in the client; write the type's name");
        return;
    }
    match written {
        Type::ImplTrait(_) | Type::TraitObject(_) => {
            diag.on(written, "a reply is one type that is sent: write the concrete type");
            return;
        }
        Type::Never(_) | Type::Infer(_) => {
            diag.on(written, "a reply is one type that is sent: write it");
            return;
        }
        _ => {}
    }
    // At the front a borrow is fine: the client's method returns the owned type.
    let inner = match output.ok().map(ungrouped) {
        Some(Type::Reference(reference)) => find_borrow(reference.elem.to_token_stream()),
        Some(ok) => find_borrow(ok.to_token_stream()),
        None => find_borrow(written.to_token_stream()),
    };
    let err = match output {
        Output::Result(result) => find_borrow(result.err.to_token_stream()),
        _ => None,
    };
    for span in inner.into_iter().chain(err) {
        diag.at(span, "a caller cannot hold a borrow of the service: return an owned type");
    }
}

/// Bare names of variants become full paths where the error type is written.
fn expected_variants(expected: Expected, output: &Output, diag: &mut Diag) -> Vec<Path> {
    let Expected { key, variants } = expected;
    let err = match output {
        Output::Plain(_) => {
            diag.on(key, "`expected` names errors, and this method returns none: return a `Result`, or leave it out");
            return Vec::new();
        }
        Output::Result(result) => Some(ungrouped(&result.err)),
        Output::Unknown(_) => None,
    };
    let mut paths = Vec::new();
    for variant in variants {
        if variant.get_ident().is_none() || err.is_some_and(|err| same(err, &variant)) {
            paths.push(variant);
        } else if let Some(Type::Path(err)) = err.filter(|_| variant.leading_colon.is_none()) {
            let mut path = err.path.clone();
            for segment in &mut path.segments {
                if let syn::PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
                    arguments.colon2_token = Some(syn::token::PathSep(arguments.span()));
                }
            }
            path.segments.extend(variant.segments);
            paths.push(path);
        } else {
            let name = variant.to_token_stream();
            diag.on(
                variant,
                format!("the error's type is not written in this signature: write the full path, `SomeError::{name}`"),
            );
        }
    }
    paths
}
