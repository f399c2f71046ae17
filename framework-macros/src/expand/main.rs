//! `#[main]`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{ItemFn, ReturnType, spanned::Spanned};

use super::{Crate, descriptor::option};
use crate::{
    args::MainArgs,
    diag::Diag,
    syntax::{at, moved},
};

pub(crate) fn expand(args: &MainArgs, item: TokenStream, diag: &mut Diag) -> TokenStream {
    // The body stays as it is: only what stands before it is parsed.
    let mut head: Vec<TokenTree> = item.clone().into_iter().collect();
    let body = head.pop();
    head.push(Group::new(Delimiter::Brace, TokenStream::new()).into());
    let (Some(body @ TokenTree::Group(_)), Ok(function)) = (body, syn::parse2::<ItemFn>(head.into_iter().collect()))
    else {
        diag.at(proc_macro2::Span::call_site(), "`#[main]` goes on `async fn main()`");
        return item;
    };
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        diag.on(sig.fn_token, "the main function of a program with services is async: write `async fn`");
    }
    if !sig.inputs.is_empty() {
        diag.on(&sig.inputs, "the main function takes nothing: read arguments from `std::env::args`");
    }
    if !sig.generics.params.is_empty() {
        diag.on(&sig.generics, "the main function cannot be generic");
    }
    let (attrs, vis, ident) = (&function.attrs, &function.vis, &sig.ident);
    if !diag.is_empty() {
        return quote!(#(#attrs)* #vis fn #ident() {});
    }
    let k = Crate::new(&args.krate).private;
    let threads = option(args.worker_threads);
    let returned = match &sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let span = at(match &sig.output {
        ReturnType::Default => ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    });
    let output = quote_spanned!(span=> let output: #returned = #body;);
    let k = moved(&k, span);
    // All at the return type, since what may be wrong is that.
    let call = quote_spanned! {span=>
        #k::main(#threads, || async move {
            #output
            output
        })
    };
    quote! {
        #(#attrs)*
        #vis fn #ident() -> ::std::process::ExitCode {
            #call
        }
    }
}
