use std::time::Duration;

use syn::{Attribute, Ident, Path};

use super::{Entry, IdempotentArgs, IdempotentStore, entries, inside, names::wire_name, unknown_key};
use crate::diag::Diag;

/// `#[rpc(…)]`
#[derive(Default)]
pub(crate) struct RpcArgs {
    pub(crate) name: Option<(Ident, String)>,
    pub(crate) expected: Option<Expected>,
    pub(crate) sensitive: Vec<Ident>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_workers: Option<(Ident, usize)>,
    pub(crate) idempotent: Option<IdempotentArgs>,
}

/// The errors that are part of a method's normal life.
pub(crate) struct Expected {
    pub(crate) key: Ident,
    pub(crate) variants: Vec<Path>,
}

/// The last is of `#[rpc]` alone.
const KEYS: [&str; 6] = ["name", "expected", "sensitive", "timeout", "max_workers", "idempotent"];

impl RpcArgs {
    /// `#[rpc(…)]`, and `#[websocket(…)]`, which has the same keys.
    pub(crate) fn parse(attr: &Attribute, attribute: &str, diag: &mut Diag) -> Self {
        let mut args = Self::default();
        for entry in entries(inside(attr, "timeout = \"5s\"", diag), "name = \"…\"", diag) {
            match entry.key.to_string().as_str() {
                "name" => {
                    let name = entry.text("place_order", diag).and_then(|text| wire_name(&text, "a method", diag));
                    args.name = name.map(|name| (entry.key, name));
                }
                "expected" => {
                    let variants = entry.paths("OrderError::OutOfStock", diag);
                    args.expected = Some(Expected { key: entry.key, variants });
                }
                "sensitive" => args.sensitive = entry.parameters(diag),
                "timeout" => args.timeout = entry.duration(diag),
                "max_workers" => args.max_workers = entry.count(diag).map(|count| (entry.key, count)),
                "idempotent" if attribute == "rpc" => args.idempotent = idempotent(&entry, diag),
                _ => unknown_key(&entry, attribute, if attribute == "rpc" { &KEYS } else { &KEYS[..5] }, diag),
            }
        }
        args
    }
}

fn idempotent(entry: &Entry, diag: &mut Diag) -> Option<IdempotentArgs> {
    let args = IdempotentArgs::read(entry, diag)?;
    if args.store == IdempotentStore::Process {
        let text = "a reply is kept in a database, beside what the call did: leave `store` out; a `Database` at `sqlite::memory:` is the \
                    memory of this process";
        diag.on(&args.key, text);
        return None;
    }
    Some(args)
}
