//! Options that are assigned one by one, so that the compiler says which ones there are.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, spanned::Spanned};

use crate::{
    args::{OptionArg, OptionValue},
    syntax::{at, hidden, moved},
};

/// `options.timeout = option_value("timeout", "2s")?;`, in a function that returns kinoko's `Result`.
pub(super) fn set(options: &Ident, option: &OptionArg, k: &TokenStream) -> TokenStream {
    let key = &option.key;
    let inner = match &option.value {
        OptionValue::Is(value) => {
            let value = converted(&key.to_string(), value, k);
            return quote!(#options.#key = #value;);
        }
        OptionValue::Part(inner) => inner,
    };
    let span = at(key.span());
    let (part, p) = (Ident::new("part", hidden(key.span())), moved(k, span));
    let found = quote_spanned!(span=> #p::option_part(&mut #options.#key));
    if inner.is_empty() {
        return quote!(#found;);
    }
    let set = inner.iter().map(|(inner, value)| {
        let value = converted(&format!("{key}.{inner}"), value, k);
        // Not by auto-deref, so that the compiler names the part and not a reference to it.
        quote!((*#part).#inner = #value;)
    });
    quote!({
        let #part = #found;
        #(#set)*
    })
}

fn converted(name: &str, value: &Expr, k: &TokenStream) -> TokenStream {
    let span = at(value.span());
    let k = moved(k, span);
    quote_spanned!(span=> #k::option_value(#name, #value)?)
}
