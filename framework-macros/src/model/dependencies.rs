//! A struct with `#[derive(Dependencies)]`.

use proc_macro2::Span;
use syn::{Data, DeriveInput, Fields, Ident, Index, Member, Path, Type, spanned::Spanned};

use super::output::same;
use crate::{
    args::{DependencyArgs, MethodArg, OptionArg, type_crate},
    diag::Diag,
};

pub(crate) struct DependenciesModel {
    pub(crate) ident: Ident,
    pub(crate) krate: Path,
    pub(crate) fields: Vec<FieldModel>,
}

pub(crate) struct FieldModel {
    pub(crate) member: Member,
    pub(crate) ty: Type,
    pub(crate) options: Vec<OptionArg>,
    /// What is said of single methods of a client.
    pub(crate) methods: Vec<MethodArg>,
    /// Whether `Has` is implemented by this field: once for each type, by its spelling.
    pub(crate) gives: bool,
}

impl FieldModel {
    pub(crate) fn name(&self) -> String {
        match &self.member {
            Member::Named(ident) => syn::ext::IdentExt::unraw(ident).to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.ty.span()
    }
}

impl DependenciesModel {
    pub(crate) fn read(input: &DeriveInput, diag: &mut Diag) -> Self {
        let on_type: Vec<_> = input.attrs.iter().filter(|attr| attr.path().is_ident("dependency")).cloned().collect();
        let mut model = Self { ident: input.ident.clone(), krate: type_crate(&on_type, diag), fields: Vec::new() };
        if !input.generics.params.is_empty() {
            diag.on(&input.generics, "a service is one concrete type: write concrete types in its fields");
        }
        let fields = match &input.data {
            Data::Struct(data) => &data.fields,
            Data::Enum(data) => {
                diag.on(data.enum_token, "a service is a struct, each field a dependency: write `struct`");
                return model;
            }
            Data::Union(data) => {
                diag.on(data.union_token, "a service is a struct, each field a dependency: write `struct`");
                return model;
            }
        };
        model.fields(fields, diag);
        model
    }

    fn fields(&mut self, fields: &Fields, diag: &mut Diag) {
        for (place, field) in fields.iter().enumerate() {
            let attrs: Vec<_> = field.attrs.iter().filter(|attr| attr.path().is_ident("dependency")).cloned().collect();
            let args = DependencyArgs::parse(&attrs, diag);
            let member = match &field.ident {
                Some(ident) => Member::Named(ident.clone()),
                None => {
                    Member::Unnamed(Index { index: u32::try_from(place).unwrap_or(u32::MAX), span: field.ty.span() })
                }
            };
            let first = !self.fields.iter().any(|known| known.gives && same(&known.ty, &field.ty));
            let gives = first && !args.no_inject;
            let DependencyArgs { options, methods, .. } = args;
            self.fields.push(FieldModel { member, ty: field.ty.clone(), options, methods, gives });
        }
    }
}
