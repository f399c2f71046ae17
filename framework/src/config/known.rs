//! Which settings a program has: what its services declare, and what was read.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kinoko_text::nearest;

use super::{
    Settings,
    env::{is_service_link, variable},
    secret::is_secret_name,
    tree::{Kind, Map, Node, Origin, join},
};

/// A setting that a service or a provider reads, as it is known before anything is set up.
///
/// [`Dependency::settings`](crate::Dependency::settings) returns them. The key of a section stands for all that is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SettingInfo {
    /// Where it stands; dots step into maps.
    pub key: Cow<'static, str>,
    /// What it is where nobody set it, as its programmer wrote it.
    pub default: Option<Cow<'static, str>>,
    /// Whether its value must not be shown.
    pub secret: bool,
}

impl SettingInfo {
    /// A setting that must be set, or whose default is not known. Secret where the last word of its key says so.
    pub fn new(key: impl Into<Cow<'static, str>>) -> Self {
        let key = key.into();
        Self { secret: is_secret_name(&key), key, default: None }
    }

    /// What it is where nobody set it.
    #[must_use]
    pub fn default_text(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.default = Some(text.into());
        self
    }

    /// Its value is not shown, whatever it is called.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// The keys that somebody reads.
#[derive(Default)]
pub(super) struct Known(Mutex<BTreeMap<String, SettingInfo>>);

impl Clone for Known {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.entries().clone()))
    }
}

impl Known {
    pub(super) fn entries(&self) -> MutexGuard<'_, BTreeMap<String, SettingInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key was read.
    pub(super) fn read(&self, key: &str) {
        self.entries().entry(key.to_owned()).or_insert_with(|| SettingInfo::new(key.to_owned()));
    }

    /// Whether a key was declared as a secret, or is called one; or a section that it is in.
    pub(super) fn is_secret(&self, key: &str) -> bool {
        let declared = self.entries();
        let mut part = Some(key);
        while let Some(section) = part {
            if is_secret_name(section) || declared.get(section).is_some_and(|info| info.secret) {
                return true;
            }
            part = section.rsplit_once('.').map(|(outer, _)| outer);
        }
        false
    }
}

impl Settings {
    /// Makes settings known, so that they are not refused when nobody has read them yet.
    pub(crate) fn declare(&self, settings: impl IntoIterator<Item = SettingInfo>) {
        let mut known = self.known.entries();
        for setting in settings {
            match known.get_mut(&*setting.key) {
                Some(info) => {
                    info.secret |= setting.secret;
                    info.default = setting.default.or(info.default.take());
                }
                None => drop(known.insert(setting.key.clone().into_owned(), setting)),
            }
        }
    }

    /// What is set and nobody reads, each in a sentence.
    pub(crate) fn unknown(&self) -> Vec<String> {
        let known: Vec<String> = self.known.entries().keys().cloned().collect();
        let mut found = Vec::new();
        walk(&self.root, "", &known, &mut found);
        found
    }

    /// What is said of a setting that nobody set.
    pub(crate) fn missing(&self, key: &str) -> String {
        let mut text = format!(
            "setting `{key}` is missing: write it into kinoko.yaml, set {}, or give the field a `default`",
            variable(key)
        );
        let (section, last) = key.rsplit_once('.').unwrap_or(("", key));
        let siblings = match section {
            "" => Some(&self.root),
            section => self.find(section).and_then(|node| match &node.kind {
                Kind::Map(map) => Some(map),
                _ => None,
            }),
        };
        if let Some(map) = siblings {
            let known = self.known.entries();
            let unread = map.keys().map(String::as_str).filter(|name| !known.contains_key(&join(section, name)));
            if let Some((near, node)) = nearest(last, unread).and_then(|near| map.get_key_value(near)) {
                text.push_str(&format!("; is it what {} calls `{}`?", node.origin, join(section, near)));
            }
        }
        text
    }
}

fn walk(map: &Map, section: &str, known: &[String], found: &mut Vec<String>) {
    for (name, node) in map {
        let key = join(section, name);
        // As in compose files: a place for what the file itself uses several times.
        if section.is_empty() && name.starts_with("x-") {
            continue;
        }
        let same = |known: &str| known == key || node.spells(known, &key);
        if known.iter().any(|known| same(known)) {
            if !section.is_empty() && name.contains('.') {
                found.push(format!(
                    "setting `{key}` ({}) is not read: `{name}` is one name, dots and all, inside a section; \
                     write a section for each, or the whole key at the top",
                    node.origin
                ));
            }
            continue;
        }
        let inside = known
            .iter()
            .filter(|known| known.get(..key.len()).is_some_and(same) && known.as_bytes().get(key.len()) == Some(&b'.'));
        let inside: Vec<&str> = inside.map(String::as_str).collect();
        match (&node.kind, inside.as_slice()) {
            (_, []) => found.extend(unknown(&key, node, known)),
            (Kind::Map(map), _) => walk(map, &key, known, found),
            (Kind::Null, _) => {}
            (_, [first, ..]) => {
                found.push(format!("setting `{key}` ({}) is a section, in which stands `{first}`", node.origin));
            }
        }
    }
}

fn unknown(key: &str, node: &Node, known: &[String]) -> Option<String> {
    let near = near(key, known);
    let (what, near) = match &node.origin {
        Origin::Variable(name) => {
            if near.is_none() && is_service_link(name) {
                return None;
            }
            (format!("unknown variable `{name}`"), near.map(|near| variable(&near)))
        }
        origin => (format!("unknown setting `{key}` ({origin})"), near),
    };
    Some(match near {
        Some(near) => format!("{what}: did you mean `{near}`?"),
        None => format!("{what}: nothing in this program reads it"),
    })
}

/// The known key that may be meant.
fn near(key: &str, known: &[String]) -> Option<String> {
    let depth = key.matches('.').count() + 1;
    let (section, last) = key.rsplit_once('.').unwrap_or(("", key));
    // The sections and keys that stand as deep as this one.
    let level: Vec<String> = known
        .iter()
        .filter(|known| known.matches('.').count() + 1 >= depth)
        .map(|known| known.split('.').take(depth).collect::<Vec<_>>().join("."))
        .collect();
    let siblings = level.iter().filter_map(|known| match known.rsplit_once('.') {
        Some((outer, name)) => (outer == section).then_some(name),
        None => Some(known.as_str()),
    });
    if let Some(near) = nearest(last, siblings) {
        return Some(join(section, near));
    }
    // Forgotten sections, and single underscores in a variable.
    let flat = |text: &str| text.replace(['.', '-'], "_").to_lowercase();
    let elsewhere = known
        .iter()
        .find(|known| flat(known) == flat(key) || known.rsplit('.').next().is_some_and(|name| name == last));
    elsewhere.cloned().or_else(|| nearest(key, level.iter().map(String::as_str)).map(str::to_owned))
}
