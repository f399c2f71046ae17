//! Who may call: `#[guard]` and `#[public]`, of a method or of a whole block.

use proc_macro2::Span;
use syn::{Attribute, Path, spanned::Spanned};

use crate::{args::GuardArgs, diag::Diag, syntax::take_ours};

pub(crate) struct Access {
    pub(crate) rule: AccessRule,
    /// Where it is written.
    pub(crate) span: Span,
}

pub(crate) enum AccessRule {
    Public,
    /// All of these.
    Guard(Vec<GuardArgs>),
}

impl Access {
    /// Takes such attributes off an item.
    pub(crate) fn take(attrs: &mut Vec<Attribute>, krate: &Path, diag: &mut Diag) -> Option<Self> {
        let (guards, publics) = (take_ours(attrs, "guard", krate), take_ours(attrs, "public", krate));
        let first = guards.first().or(publics.first())?;
        let span = first.path().span();
        if !cfg!(feature = "jwt") {
            let text = "who may call is told by tokens, which needs kinoko's feature `jwt`: write `kinoko = { …, features = [\"jwt\"] }` in \
                        Cargo.toml";
            diag.on(first, text);
            return None;
        }
        for public in &publics {
            if !matches!(public.meta, syn::Meta::Path(_)) {
                diag.on(public, "`#[public]` takes no options: everybody may call");
            }
        }
        if let Some(second) = publics.get(1) {
            diag.on(second, "`#[public]` is given twice: leave one of them out");
        }
        if let (Some(public), false) = (publics.first(), guards.is_empty()) {
            diag.on(public, "what is guarded is not public: leave `#[public]` or `#[guard]` out");
        }
        let rules: Vec<_> = guards.iter().map(|guard| GuardArgs::parse(guard, diag)).collect();
        let rule = if guards.is_empty() { AccessRule::Public } else { AccessRule::Guard(rules) };
        Some(Self { rule, span })
    }

    /// The attribute, as it is called.
    pub(crate) fn word(&self) -> &'static str {
        match self.rule {
            AccessRule::Public => "public",
            AccessRule::Guard(_) => "guard",
        }
    }

    pub(crate) fn is_guard(&self) -> bool {
        matches!(self.rule, AccessRule::Guard(_))
    }
}
