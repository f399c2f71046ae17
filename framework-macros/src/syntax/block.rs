//! Blocks whose heads and signatures are parsed and whose bodies stay tokens.

use proc_macro2::{Delimiter, Group, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::{
    Attribute, ItemImpl, ItemTrait, Result, Signature, Token, Visibility,
    parse::{ParseStream, Parser},
};

/// The braces at the end of an item, and the item with nothing in them.
fn split_body(item: &TokenStream) -> Option<(TokenStream, Group)> {
    let mut head: Vec<TokenTree> = item.clone().into_iter().collect();
    match head.pop()? {
        TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
            let mut empty = Group::new(Delimiter::Brace, TokenStream::new());
            empty.set_span(body.span());
            head.push(empty.into());
            Some((head.into_iter().collect(), body))
        }
        _ => None,
    }
}

/// An `impl` block.
pub(crate) struct ImplBlock {
    pub(crate) head: ItemImpl,
    pub(crate) body: Body,
}

impl ImplBlock {
    pub(crate) fn parse(item: &TokenStream, attribute: &str) -> Result<Self> {
        let misplaced = || syn::Error::new(Span::call_site(), format!("`#[{attribute}]` goes on an `impl` block"));
        let (head, body) = split_body(item).ok_or_else(misplaced)?;
        Ok(Self { head: syn::parse2(head).map_err(|_| misplaced())?, body: Body::parse(&body)? })
    }
}

impl ToTokens for ImplBlock {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let head = self.head.to_token_stream();
        tokens.append_all(with_body(head, &self.body));
    }
}

/// A `trait` item.
pub(crate) struct TraitBlock {
    pub(crate) head: ItemTrait,
    pub(crate) body: Body,
}

impl TraitBlock {
    pub(crate) fn parse(item: &TokenStream) -> Result<Self> {
        let misplaced = || syn::Error::new(Span::call_site(), "`#[contract]` goes on a `trait`");
        let (head, body) = split_body(item).ok_or_else(misplaced)?;
        Ok(Self { head: syn::parse2(head).map_err(|_| misplaced())?, body: Body::parse(&body)? })
    }
}

impl ToTokens for TraitBlock {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let head = self.head.to_token_stream();
        tokens.append_all(with_body(head, &self.body));
    }
}

/// Puts a body back in the place of the empty one.
fn with_body(head: TokenStream, body: &Body) -> TokenStream {
    let mut head: Vec<TokenTree> = head.into_iter().collect();
    head.pop();
    let mut braces = Group::new(Delimiter::Brace, body.to_token_stream());
    braces.set_span(body.span);
    head.push(braces.into());
    head.into_iter().collect()
}

/// What stands in the braces.
pub(crate) struct Body {
    inner: Vec<Attribute>,
    pub(crate) items: Vec<Item>,
    span: Span,
}

pub(crate) enum Item {
    Fn(Box<Method>),
    /// A constant, a type, a macro call: passed through.
    Other(TokenStream),
}

/// A function whose body nobody looks into.
pub(crate) struct Method {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// Braces, or a semicolon in a trait.
    pub(crate) body: TokenTree,
}

impl Method {
    /// One function, wherever it stands.
    pub(crate) fn parse(item: TokenStream) -> Option<Self> {
        match Item::parse.parse2(item).ok()? {
            Item::Fn(method) => Some(*method),
            Item::Other(_) => None,
        }
    }

    /// Puts a semicolon in the place of a body.
    pub(crate) fn drop_body(&mut self) {
        self.body = Punct::new(';', Spacing::Alone).into();
    }

    pub(crate) fn has_body(&self) -> bool {
        matches!(self.body, TokenTree::Group(_))
    }
}

impl Body {
    fn parse(group: &Group) -> Result<Self> {
        let parser = |input: ParseStream<'_>| {
            let inner = input.call(Attribute::parse_inner)?;
            let mut items = Vec::new();
            while !input.is_empty() {
                items.push(Item::parse(input)?);
            }
            Ok(Self { inner, items, span: group.span() })
        };
        parser.parse2(group.stream())
    }

    pub(crate) fn methods_mut(&mut self) -> impl Iterator<Item = &mut Method> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Fn(method) => Some(&mut **method),
            Item::Other(_) => None,
        })
    }
}

impl Item {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        let defaultness: Option<Token![default]> = input.parse()?;
        if starts_function(input) {
            let sig = input.parse()?;
            return Ok(Self::Fn(Box::new(Method { attrs, vis, defaultness, sig, body: input.parse()? })));
        }
        let mut tokens = TokenStream::new();
        tokens.append_all(&attrs);
        vis.to_tokens(&mut tokens);
        defaultness.to_tokens(&mut tokens);
        let ends_at_brace = !(input.peek(Token![const]) || input.peek(Token![type]));
        while !input.is_empty() {
            let tree: TokenTree = input.parse()?;
            let last = match &tree {
                TokenTree::Punct(punct) => punct.as_char() == ';',
                TokenTree::Group(group) => ends_at_brace && group.delimiter() == Delimiter::Brace,
                _ => false,
            };
            tokens.append(tree);
            if last {
                break;
            }
        }
        Ok(Self::Other(tokens))
    }
}

/// Whether `fn` comes after the words that may stand before it.
fn starts_function(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    while let Ok(tree) = fork.parse::<TokenTree>() {
        match tree {
            TokenTree::Ident(word) if word == "fn" => return true,
            TokenTree::Ident(word)
                if ["const", "async", "unsafe", "safe", "extern"].iter().any(|known| word == known) => {}
            TokenTree::Literal(_) => {}
            _ => return false,
        }
    }
    false
}

impl ToTokens for Body {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.inner);
        for item in &self.items {
            match item {
                Item::Fn(method) => method.to_tokens(tokens),
                Item::Other(other) => tokens.append_all(other.clone()),
            }
        }
    }
}

impl ToTokens for Method {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attrs);
        self.vis.to_tokens(tokens);
        self.defaultness.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
