//! The attributes and derives of kinoko.
//!
//! Their documentation is on the re-exports in `kinoko`, where its examples run. Each macro goes the same way: `args` and
//! `model` read and collect every mistake, `check` has the rules over several items, `expand` writes code and cannot fail.

mod args;
mod check;
mod diag;
mod expand;
mod model;
mod syntax;

use proc_macro::TokenStream;

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::service(args.into(), item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn contract(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::contract(args.into(), item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn saga(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::saga(args.into(), item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn policy(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::policy(args.into(), item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn step(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("step", "saga", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn wait(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("wait", "saga", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn rpc(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("rpc", "service", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn event_handler(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("event_handler", "service", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn consume(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("consume", "service", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn timer(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("timer", "service", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn http(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("http", "service", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn websocket(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("websocket", "service", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn grpc(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray("grpc", "service", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn guard(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray_access("guard", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn public(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray_access("public", item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn event(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::event(args.into(), item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_derive(EventSet, attributes(event_set))]
pub fn event_set(item: TokenStream) -> TokenStream {
    expand::event_set(item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::main(args.into(), item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_derive(Dependencies, attributes(dependency))]
pub fn dependencies(item: TokenStream) -> TokenStream {
    expand::dependencies(item.into()).into()
}

#[allow(missing_docs, reason = "documented where kinoko re-exports it")]
#[proc_macro_derive(ServiceError, attributes(fault))]
pub fn service_error(item: TokenStream) -> TokenStream {
    expand::service_error(item.into()).into()
}
