use syn::{Attribute, Expr, ExprLit, Ident, Lit};

use super::{Entry, Value, entries, inside};
use crate::diag::Diag;

/// `#[dependency(…)]` on a field
#[derive(Default)]
pub(crate) struct DependencyArgs {
    pub(crate) options: Vec<DependencyOption>,
    /// Leaves `Has` out: two spellings of one type would else be two impls.
    pub(crate) no_inject: bool,
}

/// One option, for the provider's own `Options`. Which ones there are is the compiler's to say.
pub(crate) struct DependencyOption {
    pub(crate) key: Ident,
    pub(crate) value: Expr,
}

/// Options that are durations wherever they occur: a slip in them is told while compiling.
const DURATIONS: [&str; 5] = ["timeout", "every", "interval", "ttl", "expires"];

impl DependencyArgs {
    pub(crate) fn parse(attrs: &[Attribute], diag: &mut Diag) -> Self {
        let mut args = Self::default();
        for attr in attrs {
            for entry in entries(inside(attr, "key = \"…\"", diag), "key = \"…\"", diag) {
                if entry.is("no_inject") {
                    args.no_inject = entry.flag(diag);
                } else if args.options.iter().any(|option| option.key == entry.key) {
                    diag.on(&entry.key, format!("`{}` is given twice: leave one of them out", entry.key));
                } else {
                    args.option(entry, diag);
                }
            }
        }
        args
    }

    fn option(&mut self, entry: Entry, diag: &mut Diag) {
        let value = match entry.value {
            Value::Is(value) => Some(value),
            // The one option of kinoko's own that says all by being there.
            Value::None if entry.key == "secret" => Some(syn::parse_quote!(true)),
            _ => None,
        };
        let Some(value) = value else {
            diag.on(&entry.key, format!("an option needs a value: write `{} = …`", entry.key));
            return;
        };
        if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &value
            && DURATIONS.iter().any(|known| entry.key == known)
            && let Err(why) = kinoko_text::parse_duration(&text.value())
        {
            diag.on(text, why);
        }
        self.options.push(DependencyOption { key: entry.key, value });
    }
}
