//! `idempotent`, of `#[rpc]` and of what messages fire.

use std::time::Duration;

use quote::ToTokens;
use syn::{Expr, ExprLit, Ident, Lit, Type};

use super::{Entry, Value, entries, unknown_key};
use crate::diag::Diag;

/// `idempotent`, `idempotent(window = "1h", required, store = Database<Postgres>)`
pub(crate) struct IdempotentArgs {
    pub(crate) key: Ident,
    pub(crate) store: IdempotentStore,
    pub(crate) window: Option<Duration>,
    pub(crate) required: bool,
}

/// Where it is remembered.
#[derive(PartialEq)]
pub(crate) enum IdempotentStore {
    /// In the field of this type; `None`: of type `Database`.
    Database(Option<Box<Type>>),
    Process,
}

impl IdempotentArgs {
    /// `None` after an error.
    pub(super) fn read(entry: &Entry, diag: &mut Diag) -> Option<Self> {
        const KEYS: [&str; 3] = ["store", "window", "required"];
        let mut args =
            Self { key: entry.key.clone(), store: IdempotentStore::Database(None), window: None, required: false };
        let clean = diag.count();
        let list = match &entry.value {
            Value::None => Some(quote::quote!()),
            Value::List(_, list) => Some(list.clone()),
            Value::Is(_) => {
                diag.on(entry, "`idempotent` stands alone, or takes a list: `idempotent(window = \"24h\")`");
                None
            }
        };
        let mut required = None;
        for entry in entries(list.unwrap_or_default(), "window = \"24h\"", diag) {
            match entry.key.to_string().as_str() {
                // After an error nothing more is said of where.
                "store" => args.store = store(&entry, diag).unwrap_or(IdempotentStore::Process),
                "window" => args.window = entry.some_time(diag),
                "required" => required = entry.flag(diag).then_some(entry.key),
                _ => unknown_key(&entry, "idempotent", &KEYS, diag),
            }
        }
        args.required = required.is_some();
        if diag.count() == clean
            && let (Some(required), IdempotentStore::Process) = (&required, &args.store)
        {
            let text = "the memory of this process is for what has a message id, and lets the rest pass: leave `required` out, or remember in \
                        a database";
            diag.on(required, text);
        }
        if args.store != IdempotentStore::Process && !cfg!(feature = "sql") {
            let text = "`idempotent` remembers in a database, which needs kinoko's feature `sql`: write `kinoko = { …, features = [\"sql\"] }` in \
                        Cargo.toml";
            diag.on(&args.key, text);
        }
        (diag.count() == clean).then_some(args)
    }
}

/// `"process"`, or the type of a field.
fn store(entry: &Entry, diag: &mut Diag) -> Option<IdempotentStore> {
    let wanted =
        "`store` takes the type of a field, `store = Database<Postgres>`, or `\"process\"`, the memory of this process";
    match &entry.value {
        Value::Is(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) if text.value() == "process" => {
            return Some(IdempotentStore::Process);
        }
        Value::Is(value @ (Expr::Path(_) | Expr::Verbatim(_))) => {
            if let Ok(ty) = syn::parse2(value.to_token_stream()) {
                return Some(IdempotentStore::Database(Some(Box::new(ty))));
            }
        }
        Value::Is(_) | Value::List(..) | Value::None => {}
    }
    diag.on(entry.value_tokens(), wanted);
    None
}
