//! What must not be shown.

use super::tree::{Kind, Map, Node, Origin};
use crate::protocol::Value;

/// A key whose last word is one of these is a secret, in the singular or the plural.
const WORDS: [&str; 11] =
    ["password", "passwd", "passphrase", "pass", "pwd", "secret", "token", "key", "apikey", "credential", "dsn"];

/// What stands for a secret.
const HIDDEN: &str = "***";

/// Whether a key's last word says that its value is a secret: `db.password`, `apiKey`, `STRIPE_TOKENS`, `api_key_2`.
pub(crate) fn is_secret_name(key: &str) -> bool {
    let key = key.trim_end_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, '_' | '-'));
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
            _ => without_named(text),
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
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    without_named(&format!("{before}://{authority}{query}"))
}

/// A text without what it gives a key that is called a secret, as queries and connection strings do: `host=db password=…`.
fn without_named(text: &str) -> String {
    let in_key = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, value)) = rest.split_once('=') {
        shown.push_str(before);
        shown.push('=');
        rest = value;
        let key = &before[before.trim_end_matches(in_key).len()..];
        if !is_secret_name(key) || value.is_empty() {
            continue;
        }
        shown.push_str(HIDDEN);
        // A value may have blanks inside quotes.
        let quoted = value.strip_prefix('\'').and_then(|inside| Some(inside.split_once('\'')?.1));
        let end = |letter: char| letter == '&' || letter.is_whitespace();
        rest = quoted.unwrap_or_else(|| value.find(end).map_or("", |at| &value[at..]));
    }
    shown + rest
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
                .into_iter()
                .chain(["DB_PASS", "db.pwd", "apikey", "password2", "api_key_1", "token-2"])
        {
            assert!(is_secret_name(key), "{key}");
        }
        for key in [
            "keyboard",
            "monkey",
            "password_file",
            "tokenizer",
            "secretary",
            "max_workers",
            "keys_found",
            "bypass",
            "compass",
        ] {
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
            ("postgres://h/db?user=me;password=s3cret&ssl=on", "postgres://h/db?user=me;password=***&ssl=on"),
            ("host=h password=s3cret user=me", "host=h password=*** user=me"),
            ("password='s3 cret' host=h", "password=*** host=h"),
            ("Server=h;Password=s3cret", "Server=h;Password=***"),
            ("size=3 monkey=4 token=", "size=3 monkey=4 token="),
        ] {
            assert_eq!(without_passwords(url), shown);
        }
    }
}
