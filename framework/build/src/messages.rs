//! Messages as serde reads and writes them: what prost has written is read again, and each field given its form.

use quote::quote;
use syn::{
    Attribute, Field, File, GenericArgument, Item, ItemEnum, ItemImpl, Meta, Path, PathArguments, Token, Type,
    parse_quote, punctuated::Punctuated,
};

/// What messages derive beside prost's.
#[derive(Debug, Clone)]
pub(crate) struct Derives {
    pub(crate) serde: bool,
    pub(crate) schema: bool,
}

impl Default for Derives {
    fn default() -> Self {
        Self { serde: true, schema: false }
    }
}

impl Derives {
    /// Adds them. What cannot have them is told.
    pub(crate) fn add(&self, file: &mut File) -> Vec<String> {
        let mut troubles = Vec::new();
        if self.serde {
            self.items(&mut file.items, &mut troubles);
        }
        troubles
    }

    fn items(&self, items: &mut Vec<Item>, troubles: &mut Vec<String>) {
        let mut more = Vec::new();
        for item in &mut *items {
            match item {
                Item::Mod(module) => {
                    if let Some((_, items)) = &mut module.content {
                        self.items(items, troubles);
                    }
                }
                Item::Struct(message) if derives(&message.attrs, "Message") => {
                    self.attributes(&mut message.attrs, true);
                    for field in &mut message.fields {
                        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
                        let of = field.attrs.clone();
                        form(field, &of).unwrap_or_else(|ty| troubles.push(refused(&message.ident, &name, &ty)));
                    }
                }
                Item::Enum(oneof) if derives(&oneof.attrs, "Oneof") => {
                    self.attributes(&mut oneof.attrs, false);
                    for variant in &mut oneof.variants {
                        let (name, of) = (variant.ident.to_string(), &variant.attrs);
                        for field in &mut variant.fields {
                            form(field, of).unwrap_or_else(|ty| troubles.push(refused(&oneof.ident, &name, &ty)));
                        }
                    }
                }
                Item::Enum(values) if derives(&values.attrs, "Enumeration") => more.push(values.clone()),
                _ => {}
            }
        }
        for values in more {
            let names = names(&values, items);
            items.push(enumeration(&values, &names));
        }
    }

    fn attributes(&self, attributes: &mut Vec<Attribute>, has_default: bool) {
        attributes.push(parse_quote! {
            #[derive(::kinoko::__private::serde::Serialize, ::kinoko::__private::serde::Deserialize)]
        });
        attributes.push(match has_default {
            true => parse_quote!(#[serde(crate = "::kinoko::__private::serde", default)]),
            false => parse_quote!(#[serde(crate = "::kinoko::__private::serde")]),
        });
        if self.schema {
            attributes.push(parse_quote!(#[derive(::kinoko::grpc::serde::schemars::JsonSchema)]));
            attributes.push(parse_quote!(#[schemars(crate = "::kinoko::grpc::serde::schemars")]));
        }
    }
}

fn refused(message: &syn::Ident, field: &str, ty: &str) -> String {
    format!(
        "`{field}` of `{message}` is a `google.protobuf.{ty}`, which has no form in JSON yet: use another type, \
         or switch serde off by `Protos::serde(false)`"
    )
}

fn derives(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("derive")).any(|attribute| {
        let paths = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
        paths.is_ok_and(|paths| paths.iter().any(|path| path.segments.last().is_some_and(|last| last.ident == name)))
    })
}

/// Gives a field the form that serde does not know by itself. `of` has what prost says of it.
///
/// # Errors
///
/// With the name of a well-known type that has none.
fn form(field: &mut Field, of: &[Attribute]) -> Result<(), String> {
    let (container, leaf) = shape(&field.ty);
    let form = match (enumeration_of(of), well_known(leaf)) {
        (_, Some(known)) => match &*known {
            "Timestamp" | "Duration" | "Struct" | "Value" | "ListValue" => known,
            _ => return Err(known),
        },
        (Some(path), None) if path.contains("prost_types") => {
            return Err(path.rsplit("::").next().unwrap_or_default().to_owned());
        }
        (Some(path), None) => format!("Enum<{path}>"),
        (None, None) if is_bytes(leaf) => "Bytes".to_owned(),
        (None, None) => return Ok(()),
    };
    let with = format!("::kinoko::grpc::serde::{container}::<::kinoko::grpc::serde::{form}>");
    field.attrs.push(parse_quote!(#[serde(with = #with)]));
    Ok(())
}

/// What a type holds its values in, and what they are.
fn shape(ty: &Type) -> (&'static str, &Type) {
    match generic(ty) {
        Some(("Option", inner)) => ("Optional", unboxed(inner)),
        Some(("Vec", inner)) if !is_u8(inner) => ("Repeated", inner),
        Some(("HashMap", value)) => ("MapValues", value),
        _ => ("Plain", unboxed(ty)),
    }
}

fn unboxed(ty: &Type) -> &Type {
    match generic(ty) {
        Some(("Box", inner)) => inner,
        _ => ty,
    }
}

/// A known generic type and the last of its arguments.
fn generic(ty: &Type) -> Option<(&'static str, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let name = ["Option", "Vec", "HashMap", "Box"].into_iter().find(|name| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.last()? {
        GenericArgument::Type(ty) => Some((name, ty)),
        _ => None,
    }
}

fn is_u8(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("u8"))
}

fn is_bytes(ty: &Type) -> bool {
    matches!(generic(ty), Some(("Vec", inner)) if is_u8(inner))
}

/// The name of a well-known type that is a message in Rust too.
fn well_known(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let segments = &path.path.segments;
    let is_known = segments.iter().any(|segment| segment.ident == "prost_types");
    segments.last().filter(|_| is_known).map(|last| last.ident.to_string())
}

/// The path of the enum that a field has values of; of a map, its values.
fn enumeration_of(attributes: &[Attribute]) -> Option<String> {
    let prost = attributes.iter().filter(|attribute| attribute.path().is_ident("prost"));
    let metas =
        prost.filter_map(|attribute| attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok());
    metas.flatten().find_map(|meta| {
        let pair = meta.require_name_value().ok()?;
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        let text = text.value();
        match &*pair.path.get_ident()?.to_string() {
            "enumeration" => Some(text),
            "map" => text.split_once("enumeration(")?.1.split_once(')').map(|(path, _)| path.to_owned()),
            _ => None,
        }
    })
}

/// The names of an enum's values as the file has them, out of what prost writes them by.
fn names(values: &ItemEnum, items: &[Item]) -> Vec<String> {
    let is_of = |item: &&ItemImpl| matches!(&*item.self_ty, Type::Path(path) if path.path.is_ident(&values.ident));
    let impls = items.iter().filter_map(|item| if let Item::Impl(item) = item { Some(item) } else { None });
    let functions = impls.filter(is_of).flat_map(|item| &item.items);
    let bodies = functions.filter_map(|item| match item {
        syn::ImplItem::Fn(function) if function.sig.ident == "as_str_name" => function.block.stmts.first(),
        _ => None,
    });
    let arms = bodies.filter_map(|body| match body {
        syn::Stmt::Expr(syn::Expr::Match(body), _) => Some(&body.arms),
        _ => None,
    });
    let texts = arms.flatten().filter_map(|arm| match &*arm.body {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    });
    texts.collect()
}

fn enumeration(values: &ItemEnum, names: &[String]) -> Item {
    let name = &values.ident;
    let tokens = quote! {
        impl ::kinoko::grpc::serde::ProtoEnum for #name {
            const NAMES: &'static [&'static str] = &[#(#names),*];

            fn name(number: i32) -> ::core::option::Option<&'static str> {
                <Self as ::core::convert::TryFrom<i32>>::try_from(number).ok().map(|value| value.as_str_name())
            }

            fn number(name: &str) -> ::core::option::Option<i32> {
                Self::from_str_name(name).map(|value| value as i32)
            }
        }
    };
    syn::parse2(tokens).expect("the text above is an impl")
}
