//! The settings file: YAML, or TOML by its ending. Each value keeps its line.

use std::{fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    expand::{self, Lookup},
    tree::{self, Kind, Map, Node, Origin},
};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Value, excerpt},
};

/// What a file is read with.
pub(super) struct Source<'a> {
    /// For messages; `None` where the text comes from nowhere.
    pub(super) path: Option<Arc<str>>,
    pub(super) variables: &'a Lookup<'a>,
}

impl Source<'_> {
    /// Reads YAML, or TOML where the path says so.
    pub(super) fn read(&self, text: &str) -> Result<Map> {
        let toml = self.path.as_deref().is_some_and(|path| path.to_ascii_lowercase().ends_with(".toml"));
        let root = if toml { self.toml(text)? } else { self.yaml(text)? };
        let mut spread = Map::new();
        for (key, node) in root {
            if let Some(wrong) = tree::wrong_key(&key) {
                return Err(self.error(format!("`{}` ({}): {wrong}", excerpt(&key), node.origin)));
            }
            // The other way to write it, in a section, is no other key.
            if let Some(other) = tree::find(&spread, &key) {
                let text = format!("`{key}` is set twice, {} and {}: write one of them", other.origin, node.origin);
                return Err(self.error(text));
            }
            // `orders.max_lines: 3` means what it looks like.
            tree::insert(&mut spread, &key, node).map_err(|(inner, at)| {
                self.error(format!(
                    "`{key}` is set, and so is `{inner}` ({at}), which is no section: write one of them"
                ))
            })?;
        }
        Ok(spread)
    }

    pub(super) fn error(&self, text: impl fmt::Display) -> Error {
        let text = match &self.path {
            Some(path) => format!("settings file `{path}`: {text}"),
            None => text.to_string(),
        };
        Error::new(ErrorKind::Config, text)
    }

    fn at(&self, line: u64, column: u64, text: impl fmt::Display) -> Error {
        self.error(format_args!("line {line}, column {column}: {text}"))
    }

    fn origin(&self, line: u64) -> Origin {
        Origin::File { path: self.path.clone(), line, variables: String::new() }
    }

    fn text(&self, text: String, origin: Origin) -> Result<Node> {
        let Origin::File { line, .. } = origin else { unreachable!("it was just read from a file") };
        match expand::expand(&text, self.variables) {
            Ok(None) => Ok(Node { kind: Kind::Text(text), text: None, origin }),
            Ok(Some(expanded)) => {
                let origin = Origin::File { path: self.path.clone(), line, variables: expanded.variables };
                Ok(Node::loose(expanded.text, origin))
            }
            Err(problem) => Err(self.error(format_args!("line {line}: {problem}"))),
        }
    }

    fn yaml(&self, text: &str) -> Result<Map> {
        let Some(root) = parse_yaml(text).map_err(|error| match error.location() {
            Some(at) => self.at(at.line(), at.column(), plain(&error)),
            None => self.error(plain(&error)),
        })?
        else {
            return Ok(Map::new());
        };
        match self.yaml_value(root, text)?.kind {
            Kind::Map(map) => Ok(map),
            Kind::Null => Ok(Map::new()),
            _ => Err(self.error("settings are a map: write `key: value` on each line")),
        }
    }

    fn yaml_value(&self, raw: Spanned<Raw>, source: &str) -> Result<Node> {
        let origin = self.origin(raw.referenced.line());
        let kind = match raw.value {
            Raw::Text(text) => return self.text(text, origin),
            Raw::Plain(kind) => {
                let span = raw.defined.span();
                let range = span.byte_offset().zip(span.byte_len());
                let written = range.and_then(|(from, length)| {
                    source.get(usize::try_from(from).ok()?..usize::try_from(from.checked_add(length)?).ok()?)
                });
                let text = written.map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
                return Ok(Node { kind, text, origin });
            }
            Raw::List(items) => {
                Kind::List(items.into_iter().map(|item| self.yaml_value(item, source)).collect::<Result<_>>()?)
            }
            Raw::Map(entries) => Kind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((key, self.yaml_value(value, source)?)))
                    .collect::<Result<_>>()?,
            ),
        };
        Ok(Node { kind, text: None, origin })
    }

    fn toml(&self, text: &str) -> Result<Map> {
        let line_of = |offset: usize| {
            let before = text.get(..offset).unwrap_or(text);
            let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
            (before.matches('\n').count() as u64 + 1, column as u64)
        };
        let root = DeTable::parse(text).map_err(|error| {
            let (line, column) = line_of(error.span().map_or(0, |span| span.start));
            self.at(line, column, error.message())
        })?;
        self.toml_table(root.into_inner(), &line_of)
    }

    fn toml_table(&self, table: DeTable<'_>, line_of: &impl Fn(usize) -> (u64, u64)) -> Result<Map> {
        table
            .into_iter()
            .map(|(key, value)| Ok((key.into_inner().into_owned(), self.toml_value(value, line_of)?)))
            .collect()
    }

    fn toml_value(&self, value: toml::Spanned<DeValue<'_>>, line_of: &impl Fn(usize) -> (u64, u64)) -> Result<Node> {
        let (line, column) = line_of(value.span().start);
        let origin = self.origin(line);
        let (kind, text) = match value.into_inner() {
            DeValue::String(text) => return self.text(text.into_owned(), origin),
            DeValue::Boolean(flag) => (Kind::Bool(flag), flag.to_string()),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                let number = number.map_err(|_| self.at(line, column, format_args!("{integer} is too large")))?;
                (Kind::Number(number.into()), integer.to_string())
            }
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(serde_json::Number::from_f64);
                let number =
                    number.ok_or_else(|| self.at(line, column, format_args!("{float} is no finite number")))?;
                (Kind::Number(number), float.as_str().to_owned())
            }
            DeValue::Datetime(at) => return Ok(Node { kind: Kind::Text(at.to_string()), text: None, origin }),
            DeValue::Array(items) => {
                let items = items.into_iter().map(|item| self.toml_value(item, line_of)).collect::<Result<_>>()?;
                return Ok(Node { kind: Kind::List(items), text: None, origin });
            }
            DeValue::Table(table) => {
                return Ok(Node { kind: Kind::Map(self.toml_table(table, line_of)?), text: None, origin });
            }
        };
        Ok(Node { kind, text: Some(text), origin })
    }
}

/// A list or a map in one line, as YAML writes it: `[a, b]`. `None` where it is neither.
pub(super) fn flow(text: &str, origin: &Origin) -> Option<Kind> {
    fn node(raw: Raw, origin: &Origin) -> Node {
        let kind = match raw {
            Raw::Text(text) => Kind::Text(text),
            Raw::Plain(kind) => kind,
            Raw::List(items) => Kind::List(items.into_iter().map(|item| node(item.value, origin)).collect()),
            Raw::Map(entries) => {
                Kind::Map(entries.into_iter().map(|(key, value)| (key, node(value.value, origin))).collect())
            }
        };
        let text = match &kind {
            Kind::Bool(flag) => Some(flag.to_string()),
            Kind::Number(number) => Some(number.to_string()),
            _ => None,
        };
        Node { kind, text, origin: origin.clone() }
    }
    let raw = parse_yaml(text).ok()??;
    Some(node(raw.value, origin).kind)
}

fn parse_yaml(text: &str) -> Result<Option<Spanned<Raw>>, serde_saphyr::Error> {
    // A snippet would show the lines around a mistake, and with them what is secret.
    let options = serde_saphyr::options! { with_snippet: false };
    if text.trim().is_empty() {
        return Ok(None);
    }
    serde_saphyr::from_str_with_options(text, options).map(Some)
}

/// What is wrong, without the place, which stands before it.
fn plain(error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    let text = error.to_string();
    // The parser says these to its programmer.
    let told = match error {
        serde_saphyr::Error::MultipleDocuments { .. } => "a settings file is one document: a second one begins here",
        serde_saphyr::Error::NullIntoString { .. } => "a key cannot be null: write it in quotes",
        serde_saphyr::Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias stands inside its own anchor",
        _ if text.starts_with("budget breached") => {
            "the file has too many values: 250000 are allowed, those of aliases included"
        }
        _ => "",
    };
    if !told.is_empty() {
        return told.to_owned();
    }
    match text.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

/// A value as YAML has it.
enum Raw {
    Text(String),
    Plain(Kind),
    List(Vec<Spanned<Self>>),
    Map(Vec<(String, Spanned<Self>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Null))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Bool(flag)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Number(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(Kind::Number(number.into())))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Raw, E> {
        match Value::from(number) {
            Value::Number(number) => Ok(Raw::Plain(Kind::Number(number))),
            _ => Err(E::custom("a number that is not finite cannot be a setting")),
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
