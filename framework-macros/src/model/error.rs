//! An enum or struct with `#[derive(ServiceError)]`.

use proc_macro2::Span;
use syn::{
    Attribute, Data, DeriveInput, Fields, Ident, Index, LitStr, Member, Path, Type, ext::IdentExt, spanned::Spanned,
};

use crate::{
    args::{FaultArgs, default_crate, type_crate},
    check,
    diag::Diag,
    syntax::doc_text,
};

pub(crate) struct ErrorModel {
    pub(crate) ident: Ident,
    pub(crate) krate: Path,
    pub(crate) variants: Vec<VariantModel>,
}

pub(crate) struct VariantModel {
    /// `None`: the type is a struct.
    pub(crate) ident: Option<Ident>,
    /// The variant's name, or the struct's.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) span: Span,
    pub(crate) fields: Vec<ErrorField>,
    pub(crate) names: FieldNames,
    pub(crate) kind: ErrorKind,
}

pub(crate) struct ErrorField {
    pub(crate) member: Member,
    pub(crate) ty: Type,
}

impl ErrorField {
    /// Its key in the data that travels.
    pub(crate) fn key(&self) -> String {
        match &self.member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldNames {
    Named,
    Numbered,
    Unit,
}

pub(crate) enum ErrorKind {
    /// Travels with its fields.
    Data {
        code: String,
        code_span: Span,
        http: Option<u16>,
        grpc: Option<String>,
        retry: Option<bool>,
        path: Option<String>,
    },
    /// Its text alone, and that not to strangers.
    Internal,
    /// Another service's error, passed on.
    Forward,
}

impl ErrorModel {
    pub(crate) fn read(input: &DeriveInput, diag: &mut Diag) -> Self {
        let own: Vec<_> = input.attrs.iter().filter(|attr| attr.path().is_ident("fault")).cloned().collect();
        let mut model = Self { ident: input.ident.clone(), krate: default_crate(), variants: Vec::new() };
        if !input.generics.params.is_empty() {
            diag.on(&input.generics, "an error that travels is one concrete type: write concrete types in its fields");
        }
        match &input.data {
            Data::Enum(data) => {
                model.krate = type_crate(&own, diag);
                for variant in &data.variants {
                    let attrs: Vec<_> =
                        variant.attrs.iter().filter(|attr| attr.path().is_ident("fault")).cloned().collect();
                    let mut read =
                        VariantModel::read(Some(&variant.ident), &variant.ident, &variant.fields, &attrs, diag);
                    read.doc = doc_text(&variant.attrs);
                    model.variants.push(read);
                }
            }
            Data::Struct(data) => {
                let (krates, own): (Vec<_>, Vec<_>) = own.into_iter().partition(names_crate);
                model.krate = type_crate(&krates, diag);
                let mut read = VariantModel::read(None, &input.ident, &data.fields, &own, diag);
                read.doc = doc_text(&input.attrs);
                model.variants.push(read);
            }
            Data::Union(data) => {
                diag.on(data.union_token, "an error that travels is an enum or a struct: write `enum`")
            }
        }
        check::codes(&model, diag);
        model
    }
}

/// `#[fault(crate = …)]`
fn names_crate(attr: &Attribute) -> bool {
    attr.parse_args_with(|input: syn::parse::ParseStream<'_>| {
        let found = input.peek(syn::Token![crate]);
        input.parse::<proc_macro2::TokenStream>()?;
        Ok(found)
    })
    .unwrap_or(false)
}

impl VariantModel {
    fn read(ident: Option<&Ident>, name: &Ident, fields: &Fields, attrs: &[Attribute], diag: &mut Diag) -> Self {
        let args = FaultArgs::parse(attrs, diag);
        let names = match fields {
            Fields::Named(_) => FieldNames::Named,
            Fields::Unnamed(_) => FieldNames::Numbered,
            Fields::Unit => FieldNames::Unit,
        };
        if let Some(forward) = &args.forward
            && fields.len() != 1
        {
            diag.on(forward, "`forward` goes on a variant with one field, the `CallError` of another service's client");
        }
        for field in fields {
            for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("fault")) {
                diag.on(attr, "`#[fault]` goes on the variant, not on a field");
            }
        }
        let plain = name.unraw().to_string();
        let kind = if args.internal.is_some() {
            ErrorKind::Internal
        } else if args.forward.is_some() {
            ErrorKind::Forward
        } else {
            let code = args.code.as_ref().map_or_else(|| screaming_snake(&plain), LitStr::value);
            let code_span = args.code.as_ref().map_or_else(|| name.span(), LitStr::span);
            ErrorKind::Data { code, code_span, http: args.http, grpc: args.grpc, retry: args.retry, path: args.path }
        };
        let fields = fields.iter().enumerate().map(|(place, field)| ErrorField {
            member: match &field.ident {
                Some(ident) => Member::Named(ident.clone()),
                None => {
                    Member::Unnamed(Index { index: u32::try_from(place).unwrap_or(u32::MAX), span: field.ty.span() })
                }
            },
            ty: field.ty.clone(),
        });
        Self {
            ident: ident.cloned(),
            name: plain,
            doc: String::new(),
            span: name.span(),
            fields: fields.collect(),
            names,
            kind,
        }
    }
}

/// `OutOfStock` → `OUT_OF_STOCK`, `HTTPError` → `HTTP_ERROR`.
pub(super) fn screaming_snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut code = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let after_lower = i > 0 && !letters[i - 1].is_uppercase() && letters[i - 1] != '_';
        let ends_acronym = i > 0 && letters.get(i + 1).is_some_and(|next| next.is_lowercase()) && letters[i - 1] != '_';
        if letter.is_uppercase() && (after_lower || ends_acronym) {
            code.push('_');
        }
        code.extend(letter.to_uppercase());
    }
    code
}

#[cfg(test)]
mod tests {
    use super::screaming_snake;

    #[test]
    fn codes_are_screaming_snake() {
        let cases = [
            ("OutOfStock", "OUT_OF_STOCK"),
            ("HTTPError", "HTTP_ERROR"),
            ("NotFound2", "NOT_FOUND2"),
            ("Io", "IO"),
            ("Already_Split", "ALREADY_SPLIT"),
        ];
        for (name, code) in cases {
            assert_eq!(screaming_snake(name), code);
        }
    }
}
