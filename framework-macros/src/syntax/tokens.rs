//! Where generated tokens stand, and what stands among the user's.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// Generated tokens at a user's place: errors point there, lints stay silent.
pub(crate) fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The same for local variables, which the user's expressions must not see.
pub(crate) fn hidden(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// A copy of the user's tokens for generated code: the places stay, lints fire in the original alone.
pub(crate) fn copied(tokens: impl ToTokens) -> TokenStream {
    tokens.into_token_stream().into_iter().map(copied_tree).collect()
}

fn copied_tree(tree: TokenTree) -> TokenTree {
    match tree {
        TokenTree::Group(group) => {
            let mut copy = Group::new(group.delimiter(), copied(group.stream()));
            copy.set_span(at(group.span()));
            copy.into()
        }
        // `$crate` means what it means by its span's context.
        TokenTree::Ident(ident) if ident == "$crate" => ident.into(),
        mut other => {
            other.set_span(at(other.span()));
            other
        }
    }
}

/// Generated tokens, all at one place.
pub(crate) fn moved(tokens: &TokenStream, span: Span) -> TokenStream {
    let moved = tokens.clone().into_iter().map(|tree| match tree {
        TokenTree::Group(group) => {
            let mut copy = Group::new(group.delimiter(), moved(&group.stream(), span));
            copy.set_span(span);
            copy.into()
        }
        TokenTree::Ident(ident) if ident == "$crate" => ident.into(),
        mut other => {
            other.set_span(span);
            other
        }
    });
    moved.collect()
}

/// The range of the user's tokens, for generated expressions that cover the same range.
///
/// A bound that does not hold is told once for each place and each expression: with the same place for all, it is told once.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) first: Span,
    last: Span,
}

impl Place {
    pub(crate) fn of(tokens: impl ToTokens) -> Self {
        let trees: Vec<TokenTree> = tokens.into_token_stream().into_iter().collect();
        let span = |tree: Option<&TokenTree>| at(tree.map_or_else(Span::call_site, TokenTree::span));
        Self { first: span(trees.first()), last: span(trees.last()) }
    }

    /// The end of an expression that starts at the first place.
    pub(crate) fn parens(self, inside: TokenStream) -> TokenTree {
        let mut parens = Group::new(Delimiter::Parenthesis, inside);
        parens.set_span(self.last);
        parens.into()
    }

    /// `.await`, at the end.
    pub(crate) fn wait(self) -> TokenStream {
        let span = self.last;
        quote::quote_spanned!(span=> .await)
    }
}

/// The place of a word, wherever it stands in these tokens.
pub(crate) fn find_word(word: &str, tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Ident(ident) if ident == word => Some(ident.span()),
        TokenTree::Group(group) => find_word(word, group.stream()),
        _ => None,
    })
}

/// The place of the first borrow that is not `'static`: a `&`, or a lifetime.
pub(crate) fn find_borrow(tokens: TokenStream) -> Option<Span> {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |i: usize, c: char| matches!(trees.get(i), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
    let is_static = |i: usize| matches!(trees.get(i), Some(TokenTree::Ident(ident)) if ident == "static");
    for (i, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '&' && !(is(i + 1, '\'') && is_static(i + 2)) => {
                return Some(punct.span());
            }
            TokenTree::Punct(punct) if punct.as_char() == '\'' && !is_static(i + 1) => return Some(punct.span()),
            TokenTree::Group(group) => {
                if let Some(span) = find_borrow(group.stream()) {
                    return Some(span);
                }
            }
            _ => {}
        }
    }
    None
}

/// A type or a value as people write it: tokens alone would have a space between any two.
pub(crate) fn spelled(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    let tight = [" :: ", ":: ", " < ", "< ", " > ", " >", "& ", " ,", "( ", " )", "[ ", " ]", " ;", " (", " !"];
    for spaced in tight {
        let close = match spaced {
            " > " => "> ",
            other => other.trim(),
        };
        text = text.replace(spaced, close);
    }
    let text = text.replace("> ,", ">,").replace("> >", ">>");
    text.strip_prefix("- ").map_or_else(|| text.clone(), |number| format!("-{number}"))
}
