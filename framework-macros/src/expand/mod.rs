//! From checked models to code. Cannot fail; what was wrong is emitted beside the code that is right.
//!
//! Everything is named by its absolute path, so that neither the user's imports nor their absence matter.

mod arguments;
mod client;
mod contract;
mod dependencies;
mod descriptor;
mod dispatch;
mod entrypoints;
mod error;
mod event;
mod fired;
mod grpc;
mod guard;
mod http;
mod idempotent;
mod main;
mod options;
mod output;
mod policy;
mod saga;
mod service;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;

use crate::{
    args::{ContractArgs, EventArgs, MainArgs, PolicyArgs, SagaArgs, ServiceArgs},
    diag::Diag,
    model::{
        ContractModel, DependenciesModel, ErrorModel, EventModel, EventSetModel, PolicyModel, SagaModel, ServiceModel,
    },
    syntax::{ImplBlock, Method, TraitBlock},
};

/// Where generated code finds kinoko.
pub(crate) struct Crate {
    root: TokenStream,
    /// `kinoko::__private`
    private: TokenStream,
}

impl Crate {
    fn new(path: &Path) -> Self {
        Self { root: path.to_token_stream(), private: quote!(#path::__private) }
    }
}

pub(crate) fn service(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let args = ServiceArgs::parse(args, &mut diag);
    let mut block = match ImplBlock::parse(&item, "service") {
        Ok(block) => block,
        Err(error) => return unreadable(diag, error, item),
    };
    let model = ServiceModel::read(args, &mut block, &mut diag);
    let code = model.map(|model| service::expand(&model, !diag.is_empty()));
    let errors = diag.into_tokens();
    show("service", quote!(#block #code #errors))
}

pub(crate) fn saga(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let args = SagaArgs::parse(args, &mut diag);
    let mut block = match ImplBlock::parse(&item, "saga") {
        Ok(block) => block,
        Err(error) => return unreadable(diag, error, item),
    };
    let code =
        SagaModel::read(args, &mut block, &mut diag).filter(|_| diag.is_empty()).map(|model| saga::expand(&model));
    let errors = diag.into_tokens();
    // Methods that only the saga calls are not unused because of a mistake in another one.
    let quiet = code.is_none().then(|| quote!(#[allow(dead_code)]));
    show("saga", quote!(#quiet #block #code #errors))
}

pub(crate) fn contract(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let args = ContractArgs::parse(args, &mut diag);
    let mut block = match TraitBlock::parse(&item) {
        Ok(block) => block,
        Err(error) => return unreadable(diag, error, item),
    };
    let model = ContractModel::read(args, &mut block, &mut diag);
    let code = contract::expand(&model, block, !diag.is_empty());
    let errors = diag.into_tokens();
    show("contract", quote!(#code #errors))
}

pub(crate) fn dependencies(item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let input = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let model = DependenciesModel::read(&input, &mut diag);
    let code = dependencies::expand(&model, &input, !diag.is_empty());
    let errors = diag.into_tokens();
    show("Dependencies", quote!(#code #errors))
}

pub(crate) fn service_error(item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let input = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let model = ErrorModel::read(&input, &mut diag);
    let code = error::expand(&model, &input, !diag.is_empty());
    let errors = diag.into_tokens();
    show("ServiceError", quote!(#code #errors))
}

pub(crate) fn event(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let args = EventArgs::parse(args, &mut diag);
    let input = match syn::parse2(item.clone()) {
        Ok(input) => input,
        Err(_) => {
            let text = "`#[event]` goes on a struct or an enum, the event's payload";
            return unreadable(diag, syn::Error::new(proc_macro2::Span::call_site(), text), item);
        }
    };
    let model = EventModel::read(args, &input, &mut diag);
    // A broken event is one all the same: nobody who handles it is told anything more.
    let code = input.generics.params.is_empty().then(|| event::event(&model));
    let errors = diag.into_tokens();
    show("event", quote!(#item #code #errors))
}

pub(crate) fn event_set(item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let input = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let model = EventSetModel::read(&input, &mut diag);
    let code = input.generics.params.is_empty().then(|| event::event_set(&model));
    let errors = diag.into_tokens();
    show("EventSet", quote!(#code #errors))
}

pub(crate) fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let args = MainArgs::parse(args, &mut diag);
    let code = main::expand(&args, item, &mut diag);
    let errors = diag.into_tokens();
    show("main", quote!(#code #errors))
}

pub(crate) fn policy(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let args = PolicyArgs::parse(args, &mut diag);
    let Some(mut method) = Method::parse(item.clone()) else {
        let text = "`#[policy]` goes on an `async fn`, of an impl block or on its own";
        return unreadable(diag, syn::Error::new(proc_macro2::Span::call_site(), text), item);
    };
    let model = PolicyModel::read(args, &method, &mut diag).filter(|_| diag.is_empty());
    if let Some(model) = model {
        policy::expand(&model, &mut method);
    }
    let errors = diag.into_tokens();
    show("policy", quote!(#method #errors))
}

/// An inner attribute outside the block that reads it.
pub(crate) fn stray(name: &str, block: &str, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let text = format!("`#[{name}]` belongs inside an impl block marked `#[{block}]`");
    diag.at(proc_macro2::Span::call_site(), text);
    let errors = diag.into_tokens();
    quote!(#errors #item)
}

/// `#[guard]` and `#[public]` where no service reads them: outside of a block, or on one, above `#[service]`.
pub(crate) fn stray_access(name: &str, item: TokenStream) -> TokenStream {
    let mut diag = Diag::default();
    let text = format!(
        "`#[{name}]` belongs on a method inside an impl block marked `#[service]`, or on such a block, below `#[service(…)]`"
    );
    diag.at(proc_macro2::Span::call_site(), text);
    let errors = diag.into_tokens();
    quote!(#errors #item)
}

/// The item as it was, for the compiler's own errors.
fn unreadable(mut diag: Diag, error: syn::Error, item: TokenStream) -> TokenStream {
    diag.push(error);
    let errors = diag.into_tokens();
    quote!(#item #errors)
}

/// With `KINOKO_EXPAND=1` in the environment, shows what was written.
#[allow(clippy::print_stderr, reason = "it was asked for")]
fn show(of: &str, code: TokenStream) -> TokenStream {
    if std::env::var_os("KINOKO_EXPAND").is_some() {
        eprintln!("// {of}\n{code}\n");
    }
    code
}
