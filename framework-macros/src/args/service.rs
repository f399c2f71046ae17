use proc_macro2::TokenStream;
use syn::{Path, spanned::Spanned};

use super::{default_crate, entries, names::wire_name, unknown_key};
use crate::diag::Diag;

/// `#[service(…)]`
pub(crate) struct ServiceArgs {
    /// Absent where a contract names the service, or after an error.
    pub(crate) name: Option<String>,
    pub(crate) contract: Option<Path>,
    pub(crate) client: bool,
    pub(crate) nameko_wire: bool,
    pub(crate) max_workers: Option<usize>,
    /// What stands before the paths of its routes.
    pub(crate) http: String,
    /// The service of a `.proto` file that its `#[grpc]` methods serve, all of it.
    pub(crate) grpc: Option<Path>,
    /// The types of the events that it dispatches.
    pub(crate) dispatches: Vec<Path>,
    pub(crate) krate: Path,
}

const KEYS: [&str; 9] = ["name", "contract", "client", "wire", "max_workers", "http", "grpc", "dispatches", "crate"];

impl ServiceArgs {
    pub(crate) fn parse(tokens: TokenStream, diag: &mut Diag) -> Self {
        let span = tokens.span();
        let mut args = Self {
            name: None,
            contract: None,
            client: true,
            nameko_wire: false,
            max_workers: None,
            http: String::new(),
            grpc: None,
            dispatches: Vec::new(),
            krate: default_crate(),
        };
        let mut named = false;
        let clean = diag.count();
        for entry in entries(tokens, "name = \"…\"", diag) {
            match entry.key.to_string().as_str() {
                "name" => {
                    named = true;
                    args.name = entry.text("orders", diag).and_then(|text| wire_name(&text, "a service", diag));
                    if args.contract.is_some() {
                        diag.on(&entry.key, BOTH);
                    }
                }
                "contract" => {
                    args.contract = entry.path(diag);
                    if named {
                        diag.on(&entry.key, BOTH);
                    }
                    named = true;
                }
                "client" => args.client = entry.boolean(diag).unwrap_or(true),
                "wire" => {
                    if let Some(text) = entry.text("nameko", diag) {
                        args.nameko_wire = text.value() == "nameko";
                        if !args.nameko_wire {
                            diag.on(
                                &text,
                                "the only wire to choose is `nameko`; leave `wire` out for kinoko's own short path",
                            );
                        }
                    }
                }
                "max_workers" => args.max_workers = entry.count(diag),
                "http" => {
                    let text = entry.text("/api/v1", diag);
                    args.http = text.and_then(|text| super::http::prefix(&text, diag)).unwrap_or_default();
                }
                "grpc" => args.grpc = entry.path(diag),
                "dispatches" => args.dispatches = entry.paths("OrderPlaced", diag),
                "crate" => args.krate = entry.krate(diag).unwrap_or(args.krate),
                _ => unknown_key(&entry, "service", &KEYS, diag),
            }
        }
        if !named && diag.count() == clean {
            diag.at(span, "a service needs a name: write `#[service(name = \"…\")]`");
        }
        args
    }
}

const BOTH: &str = "a contract names its service: write `name` or `contract`, not both";
