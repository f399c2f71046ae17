use syn::{Attribute, Ident, Lit, LitStr};

use super::{Entry, Value, entries, inside, unknown_key};
use crate::diag::{Diag, known};

/// `#[fault(…)]` on a variant
#[derive(Default)]
pub(crate) struct FaultArgs {
    pub(crate) code: Option<LitStr>,
    pub(crate) http: Option<u16>,
    pub(crate) grpc: Option<String>,
    pub(crate) retry: Option<bool>,
    pub(crate) path: Option<String>,
    pub(crate) internal: Option<Ident>,
    pub(crate) forward: Option<Ident>,
}

const KEYS: [&str; 7] = ["code", "http", "grpc", "retry", "path", "internal", "forward"];

/// All of gRPC's codes but `OK`.
const GRPC: [&str; 16] = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl FaultArgs {
    pub(crate) fn parse(attrs: &[Attribute], diag: &mut Diag) -> Self {
        let mut args = Self::default();
        let mut data_keys = Vec::new();
        for attr in attrs {
            for entry in entries(inside(attr, "code = \"…\"", diag), "code = \"…\"", diag) {
                match entry.key.to_string().as_str() {
                    "internal" => args.internal = entry.flag(diag).then_some(entry.key),
                    "forward" => args.forward = entry.flag(diag).then_some(entry.key),
                    _ => {
                        args.describe(&entry, diag);
                        data_keys.push(entry.key);
                    }
                }
            }
        }
        if let (Some(_), Some(forward)) = (&args.internal, &args.forward) {
            diag.on(forward, "`internal` hides an error and `forward` passes it on: write one of them");
        } else if let Some(flag) = args.internal.as_ref().or(args.forward.as_ref()) {
            let whose =
                if flag == "internal" { "an internal error has none" } else { "the forwarded error brings its own" };
            for key in data_keys {
                diag.on(&key, format!("`{key}` does not go with `{flag}`: {whose}"));
            }
        }
        args
    }

    fn describe(&mut self, entry: &Entry, diag: &mut Diag) {
        match entry.key.to_string().as_str() {
            "code" => {
                self.code = entry.text("OUT_OF_STOCK", diag);
                if let Some(code) = self.code.take_if(|code| code.value().trim().is_empty()) {
                    diag.on(code, "the code is empty; write one, or leave `code` out to use the variant's name");
                }
            }
            "http" => self.http = http(entry, diag),
            "grpc" => {
                if let Some(text) = entry.text("FAILED_PRECONDITION", diag) {
                    let code = text.value();
                    if GRPC.contains(&code.as_str()) {
                        self.grpc = Some(code);
                    } else {
                        let known = known(&code, "the codes are", &GRPC);
                        diag.on(text, format!("`{code}` is no gRPC error code: {known}"));
                    }
                }
            }
            "retry" => self.retry = entry.boolean(diag),
            "path" => self.path = entry.text("inventory.exceptions.OutOfStock", diag).map(|text| text.value()),
            _ => unknown_key(entry, "fault", &KEYS, diag),
        }
    }
}

fn http(entry: &Entry, diag: &mut Diag) -> Option<u16> {
    let status = match &entry.value {
        Value::Is(syn::Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. })) => number.base10_parse::<u16>().ok(),
        _ => None,
    };
    let status = status.filter(|status| (400..=599).contains(status));
    if status.is_none() {
        diag.on(entry.value_tokens(), "`http` takes the status of an error, 400 to 599: `http = 409`");
    }
    status
}
