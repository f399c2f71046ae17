//! A method that a gRPC call fires.

use quote::ToTokens;
use syn::{Ident, Path, PathArguments, Type, TypePath, ext::IdentExt};

use super::{Entrypoint, MethodModel, Output};
use crate::{args::GrpcArgs, diag::Diag, syntax::find_word};

pub(crate) type GrpcModel = Entrypoint<Grpc>;

/// What `#[grpc]` says of a method.
pub(crate) struct Grpc {
    pub(crate) args: GrpcArgs,
    /// The service of the `.proto` file.
    pub(crate) service: Path,
    /// Its method, by its name in Rust.
    pub(crate) name: Ident,
}

impl Grpc {
    /// `service`: what the block says of it.
    pub(crate) fn read(args: GrpcArgs, service: Option<&Path>, method: &MethodModel, diag: &mut Diag) -> Option<Self> {
        one_message(method, diag);
        returned(&method.output, diag);
        let (service, name) = match (&args.serves, service) {
            (Some(path), _) => {
                let mut service = path.clone();
                let name = service.segments.pop()?.ident;
                service.segments.pop_punct();
                (service, name)
            }
            (None, Some(service)) => (service.clone(), method.ident.clone()),
            (None, None) => {
                let text = format!(
                    "which service of a `.proto` file? write `#[service(…, grpc = Inventory)]` for all methods of the block, or \
                     `#[grpc(Inventory::{})]` for this one",
                    method.ident.unraw()
                );
                diag.at(args.span, text);
                return None;
            }
        };
        Some(Self { args, service, name })
    }

    /// Whether it is a method of this service.
    pub(crate) fn is_of(&self, service: &Path) -> bool {
        self.service.to_token_stream().to_string() == service.to_token_stream().to_string()
    }
}

/// A call brings one message, or a stream of them.
fn one_message(method: &MethodModel, diag: &mut Diag) {
    for param in method.params.iter().filter(|param| param.is_extracted()) {
        let text = "an extractor reads an HTTP request, and this method is called by gRPC too: give `#[http]` a method of its own";
        diag.on(&param.ty, text);
    }
    for more in method.arguments().skip(1) {
        let text = "a gRPC call brings one message: take its type, with all fields in it, and mark what the framework supplies \
                    `#[inject]`";
        diag.on(&more.ty, text);
    }
}

/// A stream outlives the call of the method that gave it.
fn returned(output: &Output, diag: &mut Diag) {
    let Some(written) = output.written() else { return };
    let tokens = written.to_token_stream();
    let Some(span) = find_word("impl", tokens.clone()) else { return };
    // `use<>`, or `use<'a>`, which the compiler has something to say of.
    if find_word("use", tokens).is_none() {
        diag.at(span, "the stream goes on when the method has returned, and holds no borrow of `self`: write `impl Stream<…> + Send + use<>`");
    }
}

/// Whether a type is a result by its name, of which nothing but the first half is written: `kinoko::Result<…>`.
pub(crate) fn is_short_result(ty: &Type) -> bool {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else { return false };
    let last = path.segments.last();
    last.is_some_and(|last| {
        last.ident == "Result" && matches!(&last.arguments, PathArguments::AngleBracketed(args) if args.args.len() == 1)
    })
}
