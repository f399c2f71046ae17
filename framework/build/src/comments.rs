//! Comments of a file as docs of Rust, without the code in them: rustdoc would run it as an example.

use syn::{Attribute, Expr, ExprLit, File, Lit, LitStr, Meta, visit_mut::VisitMut};

/// Makes code in docs text.
pub(crate) fn tame(file: &mut File) {
    Tamer::default().visit_file_mut(file);
}

#[derive(Default)]
struct Tamer {
    is_in_fence: bool,
}

impl VisitMut for Tamer {
    fn visit_attribute_mut(&mut self, attribute: &mut Attribute) {
        let Meta::NameValue(pair) = &mut attribute.meta else { return };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &mut pair.value else { return };
        if pair.path.is_ident("doc") {
            *text = LitStr::new(&self.line(&text.value()), text.span());
        }
    }
}

impl Tamer {
    fn line(&mut self, line: &str) -> String {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            self.is_in_fence = !self.is_in_fence;
            return if self.is_in_fence { " ```text".to_owned() } else { " ```".to_owned() };
        }
        // Four spaces begin code, too.
        let indent = (line.len() - trimmed.len()).min(3);
        match self.is_in_fence || trimmed.is_empty() {
            true => line.to_owned(),
            false => format!("{:indent$}{trimmed}", ""),
        }
    }
}
