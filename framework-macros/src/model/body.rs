//! What serde calls the fields of a struct, as far as its attributes tell.

use proc_macro2::TokenStream;
use syn::{Attribute, Data, DeriveInput, Fields, LitStr, Meta, Path, Token, ext::IdentExt, punctuated::Punctuated};

/// The names in the body; `None` where something other than a plain derive decides.
pub(super) fn fields(input: &DeriveInput) -> Option<Vec<String>> {
    let Data::Struct(data) = &input.data else { return None };
    let Fields::Named(fields) = &data.fields else { return None };
    if !is_derived(&input.attrs) {
        return None;
    }
    let mut case = None;
    for option in options(&input.attrs)? {
        match (word(&option)?.as_str(), option) {
            ("rename_all", Meta::NameValue(value)) => case = Some(text(&value.value)?),
            ("deny_unknown_fields" | "default" | "bound" | "crate" | "rename" | "expecting", _) => {}
            _ => return None,
        }
    }
    let mut names = Vec::new();
    for field in &fields.named {
        let mut name = in_case(&field.ident.as_ref()?.unraw().to_string(), case.as_deref())?;
        let mut is_there = true;
        for option in options(&field.attrs)? {
            match (word(&option)?.as_str(), option) {
                ("rename", Meta::NameValue(value)) => name = text(&value.value)?,
                ("skip" | "skip_serializing" | "skip_deserializing", _) => is_there = false,
                ("flatten" | "rename", _) => return None,
                _ => {}
            }
        }
        names.extend(is_there.then_some(name));
    }
    Some(names)
}

/// A derive below the attribute: one above it is expanded and gone.
fn is_derived(attrs: &[Attribute]) -> bool {
    let derives = attrs.iter().filter(|attr| attr.path().is_ident("derive"));
    let paths =
        derives.filter_map(|attr| attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).ok()).flatten();
    paths.into_iter().any(|path| path.segments.last().is_some_and(|last| last.ident == "Deserialize"))
}

/// What stands in `#[serde(…)]`; `None` where a `cfg_attr` may add to it.
fn options(attrs: &[Attribute]) -> Option<Vec<Meta>> {
    if attrs.iter().any(|attr| attr.path().is_ident("cfg_attr")) {
        return None;
    }
    let mut options = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        options.extend(attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?);
    }
    Some(options)
}

fn word(option: &Meta) -> Option<String> {
    option.path().get_ident().map(ToString::to_string)
}

fn text(value: &syn::Expr) -> Option<String> {
    let tokens: TokenStream = quote::ToTokens::to_token_stream(value);
    syn::parse2::<LitStr>(tokens).ok().map(|text| text.value())
}

/// As serde's `rename_all` spells a field.
fn in_case(name: &str, case: Option<&str>) -> Option<String> {
    let pascal = || -> String {
        let words = name.split('_').map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
        });
        words.collect()
    };
    Some(match case {
        None | Some("snake_case" | "lowercase") => name.to_owned(),
        Some("UPPERCASE" | "SCREAMING_SNAKE_CASE") => name.to_ascii_uppercase(),
        Some("PascalCase") => pascal(),
        Some("camelCase") => {
            let pascal = pascal();
            pascal.get(..1)?.to_ascii_lowercase() + pascal.get(1..)?
        }
        Some("kebab-case") => name.replace('_', "-"),
        Some("SCREAMING-KEBAB-CASE") => name.to_ascii_uppercase().replace('_', "-"),
        Some(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::fields;

    #[test]
    fn fields_have_the_names_that_serde_gives_them() {
        let body = fields(&parse_quote! {
            #[derive(Debug, serde::Deserialize)]
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            struct Order {
                order_id: u64,
                #[serde(rename = "for", default)]
                customer: u64,
                #[serde(skip)]
                seen: bool,
                r#type: u8,
            }
        });
        assert_eq!(body.unwrap(), ["orderId", "for", "type"]);
    }

    #[test]
    fn what_a_plain_derive_does_not_decide_is_unknown() {
        assert!(
            fields(&parse_quote!(
                struct Order {
                    id: u64,
                }
            ))
            .is_none()
        );
        assert!(
            fields(&parse_quote!(
                #[derive(Deserialize)]
                struct Order(u64);
            ))
            .is_none()
        );
        assert!(
            fields(&parse_quote!(
                #[derive(Deserialize)]
                #[serde(try_from = "Raw")]
                struct Order {
                    id: u64,
                }
            ))
            .is_none()
        );
        assert!(
            fields(&parse_quote!(
                #[derive(Deserialize)]
                struct Order {
                    #[serde(flatten)]
                    inner: Inner,
                }
            ))
            .is_none()
        );
    }
}
