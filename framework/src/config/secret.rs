//! What must not be shown.

use super::tree::{Kind, Map, Node, Origin};
use crate::protocol::Value;

/// A key whose last word is one of these is a secret, in the singular or the plural.
const WORDS: [&str; 8] = ["password", "passwd", "passphrase", "secret", "token", "key", "credential", "dsn"];

/// What stands for a secret.
const HIDDEN: &str = "***";

/// Whether a key's last word says that its value is a secret: `db.password`, `apiKey`, `STRIPE_TOKENS`.
pub(super) fn is_secret_name(key: &str) -> bool {
    let last = key.rsplit(['.', '_', '-', ' ']).next().unwrap_or(key);
    // `apiKey` and `clientSecret` end with a word of their own.
    let capital = last.char_indices().rev().find(|(at, letter)| letter.is_uppercase() && lower_before(last, *at));
    let word = capital.map_or(last, |(at, _)| &last[at..]).to_lowercase();
    let singular = word.strip_suffix('s').unwrap_or(&word);
    WORDS.contains(&singular) || WORDS.contains(&&*word)
}

fn lower_before(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_some_and(char::is_lowercase)
}

/// A text without the password of a URL, or of several, and without the secrets of its query.
pub(crate) fn without_passwords(text: &str) -> String {
    let Some((before, rest)) = text.split_once("://") else {
        // What may be a URL that lost its scheme.
        return match text.split_once('@') {
            Some((user, host)) if user.contains(':') && !user.contains(char::is_whitespace) => {
                let user = user.split(':').next().unwrap_or_default();
                format!("{user}:{HIDDEN}@{host}")
            }
            _ => text.to_owned(),
        };
    };
    let (authority, query) = rest.split_once('?').map_or((rest, None), |(authority, query)| (authority, Some(query)));
    // A password may hold anything, `@`, `/` and `?` too: what is hidden is rather too much than too little.
    let (authority, query) = match query {
        Some(query) if query.contains('@') => (rest, None),
        query => (authority, query),
    };
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{HIDDEN}@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    let query = query.map_or_else(String::new, |query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((key, _)) if is_secret_name(key) => format!("{key}={HIDDEN}"),
            _ => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{before}://{authority}{query}")
}

impl Node {
    /// Whether the value comes from a variable that is called a secret.
    pub(super) fn is_secret(&self) -> bool {
        match &self.origin {
            Origin::File { variables, .. } => variables
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .any(|name| !name.is_empty() && is_secret_name(name)),
            _ => false,
        }
    }

    /// The value with what is secret in it hidden, as it may be shown. `key` is where it stands, `secret` says which keys are declared as secret.
    pub(super) fn shown(&self, key: &str, secret: &dyn Fn(&str) -> bool) -> Value {
        if !matches!(self.kind, Kind::Null) && (self.is_secret() || secret(key)) {
            return Value::from(HIDDEN);
        }
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::from(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::from(without_passwords(text)),
            Kind::List(items) => items.iter().map(|item| item.shown(key, secret)).collect(),
            Kind::Map(map) => shown_map(map, key, secret),
        }
    }

    /// The texts of its secrets: no error may repeat them.
    pub(super) fn secrets(&self, key: &str, secret: &dyn Fn(&str) -> bool, found: &mut Vec<String>) {
        if self.is_secret() || secret(key) {
            return self.texts(found);
        }
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|item| item.secrets(key, secret, found)),
            Kind::Map(map) => {
                map.iter().for_each(|(name, node)| node.secrets(&super::tree::join(key, name), secret, found));
            }
            _ => {}
        }
    }
}

fn shown_map(map: &Map, key: &str, secret: &dyn Fn(&str) -> bool) -> Value {
    let entries = map.iter().map(|(name, node)| (name.clone(), node.shown(&super::tree::join(key, name), secret)));
    Value::Object(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_key_tells_a_secret() {
        for key in
            ["password", "db.PASSWORD", "db.admin_password", "apiKey", "api-key", "tokens", "x.credentials", "DSN"]
        {
            assert!(is_secret_name(key), "{key}");
        }
        for key in ["keyboard", "monkey", "password_file", "tokenizer", "secretary", "max_workers", "keys_found"] {
            assert!(!is_secret_name(key), "{key}");
        }
    }

    #[test]
    fn passwords_in_urls_are_hidden() {
        for (url, shown) in [
            ("amqp://me:s3cret@host/v", "amqp://me:***@host/v"),
            ("amqp://me:s3/cr?e@t@host/v", "amqp://me:***@host/v"),
            ("amqp://a:s3cret@h;amqp://b:s3cret@i", "amqp://a:***@i"),
            ("amqp://me@host", "amqp://me@host"),
            ("me:s3cret@host", "me:***@host"),
            ("postgres://h/db?user=me&password=s3cret&ssl=on", "postgres://h/db?user=me&password=***&ssl=on"),
            ("write to: a@b", "write to: a@b"),
        ] {
            assert_eq!(without_passwords(url), shown);
        }
    }
}
