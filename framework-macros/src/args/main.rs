use proc_macro2::TokenStream;
use syn::Path;

use super::{default_crate, entries, unknown_key};
use crate::diag::Diag;

/// `#[main(…)]`
pub(crate) struct MainArgs {
    pub(crate) worker_threads: Option<usize>,
    pub(crate) krate: Path,
}

const KEYS: [&str; 2] = ["worker_threads", "crate"];

impl MainArgs {
    pub(crate) fn parse(tokens: TokenStream, diag: &mut Diag) -> Self {
        let mut args = Self { worker_threads: None, krate: default_crate() };
        for entry in entries(tokens, "worker_threads = 4", diag) {
            match entry.key.to_string().as_str() {
                "worker_threads" => args.worker_threads = entry.count(diag),
                "crate" => args.krate = entry.krate(diag).unwrap_or(args.krate),
                _ => unknown_key(&entry, "main", &KEYS, diag),
            }
        }
        args
    }
}
