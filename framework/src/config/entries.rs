//! All settings together, for those who want to see them.

use super::{
    Settings, own,
    tree::{self, Node},
};
use crate::protocol::Value;

/// A setting as `show-config` tells it.
pub(crate) struct Entry {
    pub(crate) key: String,
    /// `None` where nobody set it and no default is known.
    pub(crate) value: Option<Value>,
    pub(crate) origin: String,
    /// Whether a field reads it, as far as that is known before the start.
    pub(crate) known: bool,
}

impl Settings {
    /// Every setting that is set or known: kinoko's own first, then the others by their keys.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let known = self.known.entries().clone();
        let is_secret = |key: &str| self.known.is_secret(key);
        let mut entries = Vec::new();
        tree::leaves(&self.root, "", &is_secret, &mut |key, node: &Node| {
            let same = |known: &str| known == key || node.spells(known, key);
            let known = known.keys().any(|known| same(known) && self.find(key).is_some() || is_inside(key, known));
            entries.push(Entry {
                key: key.to_owned(),
                value: Some(node.shown(key, &is_secret)),
                origin: node.origin.to_string(),
                known,
            });
        });
        for (key, info) in &known {
            if self.find(key).is_none() {
                let default = info.default.as_deref().filter(|_| !info.secret);
                let value = default.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
                let origin = match (&info.default, info.secret) {
                    (Some(_), false) => "default",
                    (Some(_), true) => "default, not shown",
                    (None, _) => "not set",
                };
                entries.push(Entry { key: key.clone(), value, origin: origin.to_owned(), known: true });
            }
        }
        let place = |key: &str| own().position(|own| own.key == key).unwrap_or(usize::MAX);
        entries.sort_by(|left, right| (place(&left.key), &left.key).cmp(&(place(&right.key), &right.key)));
        entries
    }
}

/// Whether a key stands in a section.
fn is_inside(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SettingInfo;

    #[test]
    fn secrets_are_hidden_and_defaults_shown() {
        let settings =
            Settings::from_yaml("api_key: hunter2\nurl: amqp://me:hunter2@h\ndb: {password: hunter2, size: 3}\n")
                .unwrap();
        settings.declare([
            SettingInfo::new("db.limit").default_text("7"),
            SettingInfo::new("db.pin").default_text("hunter2").secret(),
            SettingInfo::new("url"),
        ]);
        let entries: Vec<_> = settings
            .entries()
            .into_iter()
            .map(|Entry { key, value, origin, known }| format!("{key} {} {origin} {known}", value.unwrap_or_default()))
            .collect();
        assert_eq!(
            entries,
            [
                "api_key \"***\" line 1 false",
                "db.limit 7 default true",
                "db.password \"***\" line 3 false",
                "db.pin null default, not shown true",
                "db.size 3 line 3 false",
                "url \"amqp://me:***@h\" line 2 true",
            ]
        );
    }
}
