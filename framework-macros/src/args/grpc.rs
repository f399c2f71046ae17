use std::time::Duration;

use proc_macro2::Span;
use syn::{Attribute, Path, Type, TypePath, spanned::Spanned};

use super::{
    entries, inside,
    positional::{Positional, positional},
    unknown_key,
};
use crate::diag::Diag;

/// `#[grpc]`, `#[grpc(Inventory::check_stock, …)]`
pub(crate) struct GrpcArgs {
    /// Which method of which service of a `.proto` file, where that is written.
    pub(crate) serves: Option<Path>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_workers: Option<usize>,
    pub(crate) span: Span,
}

const KEYS: [&str; 2] = ["timeout", "max_workers"];

impl GrpcArgs {
    pub(crate) fn parse(attr: &Attribute, diag: &mut Diag) -> Self {
        let mut args = Self { serves: None, timeout: None, max_workers: None, span: attr.path().span() };
        let (values, rest) = positional(inside(attr, "Inventory::check_stock", diag));
        for value in values {
            match value {
                Positional::Type(ty) => match *ty {
                    Type::Path(TypePath { qself: None, path, .. }) if path.segments.len() > 1 && args.serves.is_none() => {
                        args.serves = Some(path);
                    }
                    Type::Path(_) if args.serves.is_some() => {
                        diag.on(&ty, "one method for each attribute: write `#[grpc(…)]` again for another");
                    }
                    other => diag.on(
                        &other,
                        "which method? write its service and its name in Rust: `#[grpc(Inventory::check_stock)]`; or leave it out, \
                         and name the service once: `#[service(…, grpc = Inventory)]`",
                    ),
                },
                Positional::Text(text) => {
                    diag.on(&text, "the method is a path, no text: write `#[grpc(Inventory::check_stock)]`");
                }
            }
        }
        for entry in entries(rest, "timeout = \"5s\"", diag) {
            match entry.key.to_string().as_str() {
                "timeout" => args.timeout = entry.some_time(diag),
                "max_workers" => args.max_workers = entry.count(diag),
                _ => unknown_key(&entry, "grpc", &KEYS, diag),
            }
        }
        args
    }
}
