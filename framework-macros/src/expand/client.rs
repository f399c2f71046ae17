//! The typed client: one method for each method of the service, with the parameters that callers send.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Visibility, ext::IdentExt, spanned::Spanned};

use super::{Crate, arguments, descriptor::duration, output::Reply};
use crate::{
    model::{MethodModel, ParamModel, Pass, RpcModel},
    syntax::{at, copied, moved},
};

/// What a client is made from.
pub(super) struct Client<'a> {
    pub(super) ident: Ident,
    pub(super) vis: Visibility,
    /// What it is the client of, for its documentation.
    pub(super) of: String,
    /// The service's name, an expression.
    pub(super) service: TokenStream,
    pub(super) methods: &'a [RpcModel],
    /// The associated function `from_service`.
    pub(super) from_service: TokenStream,
}

pub(super) fn ident(of: &Ident) -> Ident {
    format_ident!("{of}Client", span = at(of.span()))
}

/// What a client's method gives, as a constant of the client.
pub(super) fn method_of(method: &Ident) -> Ident {
    format_ident!("__{}", method.unraw(), span = at(method.span()))
}

impl Client<'_> {
    /// The struct, to stand beside the user's item.
    pub(super) fn item(&self, krate: &Crate) -> TokenStream {
        let k = &krate.private;
        let Self { ident, vis, of, .. } = self;
        let doc = format!(
            " The typed client of `{of}`: each method gives a call, a value that is sent when it is awaited.\n\n \
             A dependency: put it into a struct with `#[derive(Dependencies)]`."
        );
        quote! {
            #[doc = #doc]
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #[allow(dead_code, unreachable_pub)]
            #vis struct #ident(#k::ServiceClient);
        }
    }

    /// Its impls, to stand in a constant.
    pub(super) fn impls(&self, krate: &Crate) -> TokenStream {
        let Crate { root, private: k } = krate;
        let Self { ident, service, from_service, .. } = self;
        let methods = self.methods.iter().map(|method| client_method(method, k));
        let names = self.methods.iter().map(|rpc| {
            let (cfgs, ident, wire_name) = (&rpc.method.cfgs, rpc.method.ident.unraw().to_string(), &rpc.by.wire_name);
            quote!(#(#cfgs)* (#ident, #wire_name))
        });
        quote! {
            impl #ident {
                #(#methods)*
                #from_service
            }

            impl #k::TypedClient for #ident {
                const SERVICE: &'static str = #service;

                const METHODS: &'static [(&'static str, &'static str)] = &[#(#names),*];

                fn from_client(client: #k::ServiceClient) -> Self {
                    Self(client)
                }
            }

            impl ::core::convert::From<#k::ServiceClient> for #ident {
                fn from(client: #k::ServiceClient) -> Self {
                    Self(client)
                }
            }

            impl #k::Dependency for #ident {
                type Options = #k::ClientOptions;

                fn settings(_: &#k::ClientOptions) -> ::std::vec::Vec<#k::SettingInfo> {
                    #k::client_settings::<Self>()
                }

                async fn setup(cx: &#k::SetupContext, options: #k::ClientOptions) -> #root::Result<Self> {
                    #k::setup_client::<Self>(cx, options).await
                }
            }
        }
    }
}

fn client_method(rpc: &RpcModel, k: &TokenStream) -> TokenStream {
    let (method, wire_name) = (&rpc.method, &rpc.by.wire_name);
    let MethodModel { cfgs, docs, .. } = &**method;
    let span = at(method.span());
    let mut ident = method.ident.clone();
    ident.set_span(span);
    let plain_doc = docs.is_empty().then(|| format!(" Calls `{wire_name}`.")).into_iter();
    let params = method.arguments().map(|param| {
        let (name, ty) = (copied(&param.ident), copied(&param.ty));
        quote!(#name: #ty)
    });
    let (Reply { received, err, .. }, kwargs, timeout) =
        (Reply::of(method, k), kwargs(method, k), duration(rpc.by.timeout));
    let moved = moved(k, span);
    let returned = quote_spanned!(span=> #moved::Call<#received, #err>);
    let Kwargs { item, value } = kwargs;
    let (token, method_cfgs) = (method_of(&method.ident), cfgs);
    quote! {
        #(#method_cfgs)*
        #[doc(hidden)]
        #[allow(non_upper_case_globals)]
        pub const #token: #k::MethodOf<#received, #err> = #k::MethodOf::new();

        #(#cfgs)*
        #(#docs)*
        #(#[doc = #plain_doc])*
        pub fn #ident(&self #(, #params)*) -> #returned {
            #item
            #k::ServiceClient::call::<#received, #err>(
                &self.0,
                #k::ClientMethod { name: #wire_name, timeout: #timeout },
                &#value,
            )
        }
    }
}

struct Kwargs {
    item: TokenStream,
    value: TokenStream,
}

/// A struct of references that is encoded as a map of the arguments, and its value.
///
/// The place that asks each argument to be `Argument`.
fn kwargs(method: &MethodModel, k: &TokenStream) -> Kwargs {
    let arguments: Vec<(usize, &ParamModel)> = method.arguments().enumerate().collect();
    let count = arguments.len();
    let fields = arguments.iter().map(|(place, param)| {
        let (field, ty) = (arguments::field(*place), sent(param));
        quote!(#field: &'a #ty,)
    });
    let entries = arguments.iter().map(|(place, param)| {
        let (field, ty, name) = (arguments::field(*place), sent(param), param.wire_name());
        let span = at(param.ty.span());
        let k = moved(k, span);
        quote_spanned!(span=> #k::write_argument::<__S::SerializeMap, #ty>(&mut map, #name, self.#field)?;)
    });
    let values = arguments.iter().map(|(place, param)| {
        let (field, name) = (arguments::field(*place), copied(&param.ident));
        let value = match arguments::pass(param) {
            None | Some(Pass::Value) => quote!(&#name),
            Some(Pass::Text | Pass::Slice(_) | Pass::Reference(_)) => name,
        };
        quote!(#field: #value,)
    });
    Kwargs {
        item: quote! {
            struct __Kwargs<'a> {
                #(#fields)*
                a: ::core::marker::PhantomData<&'a ()>,
            }

            impl #k::serde::Serialize for __Kwargs<'_> {
                fn serialize<__S: #k::serde::Serializer>(&self, serializer: __S) -> ::core::result::Result<__S::Ok, __S::Error> {
                    let mut map = #k::serde::Serializer::serialize_map(serializer, ::core::option::Option::Some(#count))?;
                    #(#entries)*
                    #k::serde::ser::SerializeMap::end(map)
                }
            }
        },
        value: quote!(__Kwargs { #(#values)* a: ::core::marker::PhantomData }),
    }
}

/// The type behind the reference in `Kwargs`.
fn sent(param: &ParamModel) -> TokenStream {
    let span = at(param.ty.span());
    match arguments::pass(param) {
        None | Some(Pass::Value) => copied(&param.ty),
        Some(Pass::Text) => quote_spanned!(span=> str),
        Some(Pass::Slice(item)) => {
            let item = copied(item);
            quote_spanned!(span=> [#item])
        }
        Some(Pass::Reference(inner)) => copied(inner),
    }
}
