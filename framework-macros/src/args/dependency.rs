use syn::Attribute;

use super::{OptionArg, entries, inside};
use crate::diag::Diag;

/// `#[dependency(…)]` on a field
#[derive(Default)]
pub(crate) struct DependencyArgs {
    pub(crate) options: Vec<OptionArg>,
    /// Leaves `Has` out: two spellings of one type would else be two impls.
    pub(crate) no_inject: bool,
}

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
                    args.options.extend(OptionArg::read(entry, diag));
                }
            }
        }
        args
    }
}
