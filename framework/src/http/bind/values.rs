//! Texts by name: what a query, a form, a header, a cookie and a part of a multipart body have in common.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use percent_encoding::{percent_decode, percent_decode_str};

use super::refusal::Refusal;

/// One value, as it came.
#[derive(Debug, Clone)]
pub(super) enum Raw<'a> {
    /// Of a query or a form: with escapes, and `+` for a blank.
    Encoded(&'a str),
    /// Of a path, a header or a cookie: as it is.
    Plain(&'a [u8]),
    /// Of a multipart body.
    Part(Part),
    /// Under a name that is not UTF-8.
    Misnamed,
}

/// One part of a multipart body.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) bytes: Bytes,
}

const NOT_UTF8: &str = "is not UTF-8";

impl Raw<'_> {
    /// As text.
    pub(super) fn text(&self) -> Result<Cow<'_, str>, Refusal> {
        let not_utf8 = |_| Refusal::of_type(NOT_UTF8);
        match self {
            Self::Encoded(text) => decode(text).ok_or_else(|| Refusal::of_type(NOT_UTF8)),
            Self::Plain(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(not_utf8),
            Self::Part(Part { file_name: Some(_), .. }) => Err(Refusal::of_type("must be a text, not a file")),
            Self::Part(part) => std::str::from_utf8(&part.bytes).map(Cow::Borrowed).map_err(not_utf8),
            Self::Misnamed => Err(Refusal::of_type("has a name that is not UTF-8")),
        }
    }

    /// As bytes.
    pub(super) fn bytes(&self) -> Result<Cow<'_, [u8]>, Refusal> {
        Ok(match self {
            Self::Encoded(text) if text.contains('+') => {
                Cow::Owned(percent_decode_str(&text.replace('+', " ")).collect())
            }
            Self::Encoded(text) => percent_decode_str(text).into(),
            Self::Plain(bytes) => Cow::Borrowed(bytes),
            Self::Part(part) => Cow::Borrowed(&part.bytes),
            Self::Misnamed => return self.text().map(|_| Cow::Borrowed(&[][..])),
        })
    }
}

/// What an escaped text stands for; `None` where that is not UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode_str(text).decode_utf8().ok();
    }
    let blanks = text.replace('+', " ");
    percent_decode(blanks.as_bytes()).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
}

/// A value under its name.
#[derive(Debug, Clone)]
pub(super) struct Pair<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) raw: Raw<'a>,
}

impl<'a> Pair<'a> {
    /// One that has no name, or none that matters any more.
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self { name: Cow::Borrowed(""), raw: Raw::Plain(bytes) }
    }
}

/// Values, those of one name beside each other in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Pairs<'a>(Vec<Pair<'a>>);

impl<'a> Pairs<'a> {
    pub(super) fn new(mut pairs: Vec<Pair<'a>>) -> Self {
        // Sorted, so that many names cost no more than their number: whoever sends them chooses it.
        pairs.sort_by(|left, right| left.name.cmp(&right.name));
        Self(pairs)
    }

    /// Of a query, or of a form's body.
    pub(super) fn encoded(text: &'a str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match decode(name) {
                Some(name) => Pair { name, raw: Raw::Encoded(value) },
                None => Pair { name: Cow::Borrowed(name), raw: Raw::Misnamed },
            }
        });
        Self::new(pairs.collect())
    }

    /// Of all `Cookie` headers. Their values are taken as they are: no standard escapes them.
    pub(super) fn cookies(headers: &'a HeaderMap) -> Self {
        let lines = headers.get_all(header::COOKIE).into_iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(|pair| {
            let pair = pair.trim_ascii();
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (std::str::from_utf8(pair[..at].trim_ascii()).ok()?, pair[at + 1..].trim_ascii());
            Some(Pair { name: Cow::Borrowed(name), raw: Raw::Plain(value) })
        });
        Self::new(pairs.collect())
    }

    /// Those of one name.
    pub(super) fn named(&self, name: &str) -> &[Pair<'a>] {
        let start = self.0.partition_point(|pair| &*pair.name < name);
        let rest = &self.0[start..];
        &rest[..rest.partition_point(|pair| pair.name == name)]
    }

    /// Those of each name.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Pair<'a>]> {
        self.0.chunk_by(|left, right| left.name == right.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(pairs: &'a [Pair<'_>]) -> Vec<Result<Cow<'a, str>, Refusal>> {
        pairs.iter().map(|pair| pair.raw.text()).collect()
    }

    #[test]
    fn a_query_is_decoded_and_what_is_not_utf8_is_told() {
        let pairs = Pairs::encoded("b=2&a=x%20y+z&b=1&&c&%C3%BC=%C3%BC&bad=%FF&half=%4");
        assert_eq!(texts(pairs.named("a")), [Ok("x y z".into())]);
        assert_eq!(texts(pairs.named("b")), [Ok("2".into()), Ok("1".into())]);
        assert_eq!(texts(pairs.named("c")), [Ok("".into())]);
        assert_eq!(texts(pairs.named("ü")), [Ok("ü".into())]);
        assert_eq!(texts(pairs.named("half")), [Ok("%4".into())]);
        assert_eq!(texts(pairs.named("bad")), [Err(Refusal::of_type("is not UTF-8"))]);
        assert_eq!(pairs.named("bad")[0].raw.bytes().unwrap(), &[0xff][..]);
        assert!(pairs.named("d").is_empty());
        assert_eq!(pairs.groups().count(), 6);
        assert!(Pairs::encoded("%FF=1").named("%FF")[0].raw.text().is_err());
    }

    #[test]
    fn cookies_of_all_lines_are_found() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; b = 2;junk; c=x=y".parse().unwrap());
        headers.append(header::COOKIE, "d=%20".parse().unwrap());
        let cookies = Pairs::cookies(&headers);
        for (name, value) in [("a", "1"), ("b", "2"), ("c", "x=y"), ("d", "%20")] {
            assert_eq!(texts(cookies.named(name)), [Ok(value.into())]);
        }
    }
}
