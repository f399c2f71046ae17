//! Values with the place that each came from.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::protocol::Value;

/// A value, and where it was set.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// As it was written, where the writer may have meant a text: `1.10` as a number is not the text that was written.
    pub(super) text: Option<String>,
    pub(super) origin: Origin,
}

#[derive(Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

pub(super) type Map = BTreeMap<String, Node>;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A line of a file, and the variables that its text names.
    File { path: Option<Arc<str>>, line: u64, variables: String },
    /// An environment variable.
    Variable(String),
    /// An option of the command line.
    Option(&'static str),
    /// The program's own code.
    Program,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, variables } => {
                match path {
                    Some(path) => write!(f, "{path}:{line}")?,
                    None => write!(f, "line {line}")?,
                }
                if !variables.is_empty() {
                    write!(f, ", {variables}")?;
                }
                Ok(())
            }
            Self::Variable(name) => f.write_str(name),
            Self::Option(name) => f.write_str(name),
            Self::Program => f.write_str("the program"),
        }
    }
}

impl Node {
    /// What was written outside of a file, where quotes tell no text from a number: who reads it chooses.
    pub(super) fn loose(text: String, origin: Origin) -> Self {
        let trimmed = text.trim();
        let kind = match trimmed {
            "null" | "~" => Kind::Null,
            _ if trimmed.starts_with(['[', '{']) => {
                super::file::flow(trimmed, &origin).unwrap_or(Kind::Text(text.clone()))
            }
            _ => match serde_json::from_str(trimmed) {
                Ok(Value::Bool(flag)) => Kind::Bool(flag),
                Ok(Value::Number(number)) => Kind::Number(number),
                _ => Kind::Text(text.clone()),
            },
        };
        Self { kind, text: Some(text), origin }
    }

    pub(super) fn map(origin: Origin) -> Self {
        Self { kind: Kind::Map(Map::new()), text: None, origin }
    }

    pub(super) fn of_value(value: Value, origin: &Origin) -> Self {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(flag) => Kind::Bool(flag),
            Value::Number(number) => Kind::Number(number),
            Value::String(text) => Kind::Text(text),
            Value::Array(items) => Kind::List(items.into_iter().map(|item| Self::of_value(item, origin)).collect()),
            Value::Object(map) => {
                Kind::Map(map.into_iter().map(|(key, value)| (key, Self::of_value(value, origin))).collect())
            }
        };
        let text = match &kind {
            Kind::Bool(flag) => Some(flag.to_string()),
            Kind::Number(number) => Some(number.to_string()),
            _ => None,
        };
        Self { kind, text, origin: origin.clone() }
    }

    /// The value that a key has, where this is a map.
    pub(super) fn child(&self, key: &str) -> Option<&Self> {
        let Kind::Map(map) = &self.kind else { return None };
        child(map, key)
    }

    /// Whether the key that this value stands under may be meant by `key`: a variable's name tells no capitals.
    pub(super) fn spells(&self, name: &str, key: &str) -> bool {
        matches!(self.origin, Origin::Variable(_)) && name.eq_ignore_ascii_case(key)
    }

    /// Every text in it, for a look at what an error says.
    pub(super) fn texts(&self, found: &mut Vec<String>) {
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|item| item.texts(found)),
            Kind::Map(map) => map.values().for_each(|node| node.texts(found)),
            Kind::Text(text) => found.push(text.clone()),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
        }
        found.extend(self.text.clone());
    }
}

/// A key's steps: `orders.max_lines` is `max_lines` in `orders`.
fn steps(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').filter(|step| !step.is_empty())
}

/// Sections are walked by recursion, and no settings are as deep.
const MAX_STEPS: usize = 64;

/// What is wrong with a key: it has a name before, between and after its dots, and not more of them than any section is deep.
pub(super) fn wrong_key(key: &str) -> Option<&'static str> {
    if key.split('.').any(|step| step.trim().is_empty()) {
        Some("a part of the key is empty: write `orders.max_lines`")
    } else if key.split('.').count() > MAX_STEPS {
        Some("a key has at most 64 parts")
    } else {
        None
    }
}

/// The value under a key, where there is one.
pub(super) fn find<'a>(root: &'a Map, key: &str) -> Option<&'a Node> {
    let mut steps = steps(key);
    let mut node = child(root, steps.next()?)?;
    for step in steps {
        node = node.child(step)?;
    }
    Some(node)
}

fn child<'a>(map: &'a Map, key: &str) -> Option<&'a Node> {
    map.get(key).or_else(|| map.iter().find(|(name, node)| node.spells(name, key)).map(|(_, node)| node))
}

/// A key inside a section.
pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Puts a value under a key, over what is there.
///
/// # Errors
///
/// The key and the value that it would have to step into.
pub(super) fn insert(root: &mut Map, key: &str, node: Node) -> Result<(), (String, Origin)> {
    let fold = matches!(node.origin, Origin::Variable(_));
    let (mut map, mut path) = (root, String::new());
    let mut steps = steps(key).peekable();
    while let Some(step) = steps.next() {
        // What a file spells with capitals a variable means as well.
        let step = match map.keys().find(|known| fold && known.eq_ignore_ascii_case(step)) {
            Some(known) => known.clone(),
            None => step.to_owned(),
        };
        path = join(&path, &step);
        if steps.peek().is_none() {
            map.insert(step, node);
            return Ok(());
        }
        let inner = map.entry(step).or_insert_with(|| Node::map(node.origin.clone()));
        if matches!(inner.kind, Kind::Null) {
            inner.kind = Kind::Map(Map::new());
        }
        let Kind::Map(inner_map) = &mut inner.kind else { return Err((path, inner.origin.clone())) };
        map = inner_map;
    }
    Ok(())
}

/// Calls `each` for what is no section, or is one that is shown as a whole.
pub(super) fn leaves(map: &Map, section: &str, is_secret: &dyn Fn(&str) -> bool, each: &mut impl FnMut(&str, &Node)) {
    for (name, node) in map {
        let key = join(section, name);
        match &node.kind {
            _ if section.is_empty() && name.starts_with("x-") => {}
            Kind::Map(inner) if !inner.is_empty() && !is_secret(&key) => leaves(inner, &key, is_secret, each),
            _ => each(&key, node),
        }
    }
}
