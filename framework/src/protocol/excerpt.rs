use std::fmt::{self, Write};

/// The most that a fault, an error or a log line repeats of what a stranger wrote, in bytes.
pub(crate) const EXCERPT_BYTES: usize = 1024;

/// A text, cut where it is longer than [`EXCERPT_BYTES`]: decoders repeat the value that they refuse, however large it is.
#[cold]
pub(crate) fn excerpt(text: impl fmt::Display) -> String {
    let mut excerpt = Excerpt { text: String::new(), cut: false };
    // Its one error is the end of the room.
    let _ = write!(excerpt, "{text}");
    if excerpt.cut {
        excerpt.text.push('…');
    }
    excerpt.text
}

struct Excerpt {
    text: String,
    cut: bool,
}

impl Write for Excerpt {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = EXCERPT_BYTES - self.text.len();
        if part.len() <= room {
            self.text.push_str(part);
            return Ok(());
        }
        let end = (0..=room).rfind(|end| part.is_char_boundary(*end)).unwrap_or_default();
        self.text.push_str(&part[..end]);
        self.cut = true;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_between_letters() {
        assert_eq!(excerpt("short"), "short");
        let whole = "x".repeat(EXCERPT_BYTES);
        assert_eq!(excerpt(&whole), whole);
        let long = format!("x{}", "ü".repeat(EXCERPT_BYTES));
        assert_eq!(excerpt(format_args!("{long}{long}")), format!("x{}…", "ü".repeat((EXCERPT_BYTES - 1) / 2)));
    }
}
