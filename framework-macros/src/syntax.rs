//! Parsing what stands under an attribute: heads and signatures are parsed, bodies stay tokens.

use proc_macro2::{Delimiter, Group, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::{
    Attribute, ItemImpl, ItemTrait, Path, Result, Signature, Token, Visibility,
    parse::{ParseStream, Parser},
};

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
    pub(crate) fn parse(item: &TokenStream) -> Result<Self> {
        let misplaced = || syn::Error::new(Span::call_site(), "`#[service]` goes on an `impl` block");
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
    vis: Visibility,
    defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// Braces, or a semicolon in a trait.
    pub(crate) body: TokenTree,
}

impl Method {
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

/// Whether an attribute is ours: `rpc`, or `kinoko::rpc` with whatever name the crate goes by.
pub(crate) fn is_ours(attr: &Attribute, name: &str, krate: &Path) -> bool {
    let path = attr.path();
    let Some(last) = path.segments.last() else { return false };
    if last.ident != name {
        return false;
    }
    let words = |path: &Path| path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>();
    let mut module = words(path);
    module.pop();
    module.is_empty() || module == ["kinoko"] || module == words(krate)
}

/// Takes our attributes of this name away from an item, and gives them back.
pub(crate) fn take_ours(attrs: &mut Vec<Attribute>, name: &str, krate: &Path) -> Vec<Attribute> {
    attrs.extract_if(.., |attr| is_ours(attr, name, krate)).collect()
}

/// The `cfg` attributes, which everything generated for an item must carry too.
pub(crate) fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

/// The doc comments, for generated items.
pub(crate) fn docs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect()
}

/// The doc comments as one text.
pub(crate) fn doc_text(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        syn::Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let text = lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect::<Vec<_>>();
    text.join("\n").trim().to_owned()
}

/// Whether the word `Self` stands anywhere in these tokens; gives its place.
pub(crate) fn find_self(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Ident(ident) if ident == "Self" => Some(ident.span()),
        TokenTree::Group(group) => find_self(group.stream()),
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
