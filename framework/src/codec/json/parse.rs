//! A parser for JSON as Python writes it: with `NaN`, `Infinity` and integers of any size.
//!
//! Strings and numbers within a body are still `serde_json`'s to read.

use super::{tags, tree::Tree};

/// As deep as `serde_json` goes.
const MAX_DEPTH: u8 = 127;

/// The value of a whole body, its tagged objects in their plain form. `None`: it is no JSON, not even Python's.
pub(super) fn parse(body: &[u8]) -> Option<Tree> {
    let mut parser = Parser { rest: body };
    let tree = parser.value(MAX_DEPTH)?;
    parser.skip_space();
    parser.rest.is_empty().then_some(tree)
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: u8) -> Option<Tree> {
        self.skip_space();
        match self.rest.first()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.list(depth.checked_sub(1)?),
            b'"' => self.text().map(Tree::Text),
            b'-' | b'0'..=b'9' if !self.rest.starts_with(b"-I") => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: u8) -> Option<Tree> {
        let mut entries = Vec::new();
        self.items(b'}', |parser| {
            parser.skip_space();
            let key = parser.text()?;
            parser.skip_space();
            parser.expect(b':')?;
            entries.push((key, parser.value(depth)?));
            Some(())
        })?;
        Some(tags::plain(entries))
    }

    fn list(&mut self, depth: u8) -> Option<Tree> {
        let mut items = Vec::new();
        self.items(b']', |parser| {
            items.push(parser.value(depth)?);
            Some(())
        })?;
        Some(Tree::List(items))
    }

    /// What is between two brackets, with commas.
    fn items(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.rest = &self.rest[1..];
        self.skip_space();
        if self.expect(end).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            self.skip_space();
            if self.expect(end).is_some() {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    fn text(&mut self) -> Option<String> {
        if self.rest.first() != Some(&b'"') {
            return None;
        }
        let mut end = 1;
        loop {
            match self.rest.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        serde_json::from_slice(self.take(end + 1)).ok()
    }

    fn number(&mut self) -> Option<Tree> {
        let end = self.rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let token = self.take(end.unwrap_or(self.rest.len()));
        let number = serde_json::from_slice::<serde_json::Number>(token);
        let digits = token.strip_prefix(b"-").unwrap_or(token);
        // `serde_json` makes a float of an integer that it has no type for, or refuses it.
        if digits.len() > 18 && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit) {
            return match number {
                Ok(number) if !number.is_f64() => Some(Tree::Number(number)),
                _ => String::from_utf8(token.to_vec()).ok().map(Tree::BigInteger),
            };
        }
        number.ok().map(Tree::Number)
    }

    fn word(&mut self) -> Option<Tree> {
        let words: [(&[u8], Tree); 6] = [
            (b"null", Tree::Null),
            (b"true", Tree::Bool(true)),
            (b"false", Tree::Bool(false)),
            (b"NaN", Tree::NoNumber(f64::NAN)),
            (b"Infinity", Tree::NoNumber(f64::INFINITY)),
            (b"-Infinity", Tree::NoNumber(f64::NEG_INFINITY)),
        ];
        let (word, tree) = words.into_iter().find(|(word, _)| self.rest.starts_with(word))?;
        self.take(word.len());
        Some(tree)
    }

    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What this parser and `serde_json` make of a text.
    fn both(text: &str) -> (Option<Value>, Option<Value>) {
        (
            parse(text.as_bytes()).and_then(|tree| serde::Deserialize::deserialize(tree).ok()),
            serde_json::from_str(text).ok(),
        )
    }

    #[test]
    fn json_is_read_as_serde_json_reads_it() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        for text in [
            r#"{"a": [1, -2, 3.5, 1e3, -0.0, true, false, null, "x"], "b": {}, "c": []}"#,
            " \t\r\n[ 1 , 2 ]\n",
            r#""\u00e9\ud83d\ude00\n\"\\""#,
            "\"é\"",
            "18446744073709551615",
            "-9223372036854775808",
            "1234567890123456789",
            "0",
            "-0",
            &deep(127),
            // And what is no JSON.
            "",
            "  ",
            "[1,]",
            "[1 2]",
            "[,1]",
            "{1: 2}",
            r#"{"a" 1}"#,
            r#"{"a": 1,}"#,
            r#"{"a"}"#,
            "[1",
            "{",
            "\"open",
            "\"open\\",
            "\"a\nb\"",
            r#""\ud800""#,
            "01",
            "-",
            "--1",
            "1-2",
            "1.",
            ".5",
            "+1",
            "1e999",
            "00000000000000000000001",
            "nul",
            "truetrue",
            "1 1",
            "[1]]",
            "'a'",
            "-Inf",
            &deep(128),
            &deep(100_000),
        ] {
            let (own, theirs) = both(text);
            assert_eq!(own, theirs, "{text:.60}");
        }
        assert!(parse(b"\"\xff\"").is_none());
    }

    #[test]
    fn what_only_python_writes_is_read() {
        assert!(matches!(parse(b"NaN"), Some(Tree::NoNumber(value)) if value.is_nan()));
        assert!(
            matches!(parse(b"[-Infinity]"), Some(Tree::List(items)) if matches!(items[..], [Tree::NoNumber(f64::NEG_INFINITY)]))
        );
        for text in ["1267650600228229401496703205376", "-18446744073709551616", &"9".repeat(400)] {
            assert!(matches!(parse(text.as_bytes()), Some(Tree::BigInteger(digits)) if digits == text), "{text}");
        }
    }
}
