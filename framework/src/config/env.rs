use std::ffi::OsString;

use super::{Origin, Settings};
use crate::protocol::Value;

const PREFIX: &str = "KINOKO_";
/// Variables that are about the program's surroundings, not settings of it.
const NO_SETTINGS: &[&str] = &["KINOKO_CONFIG"];
const TEST_PREFIX: &str = "KINOKO_TEST_";

/// The variable that sets a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

impl Settings {
    pub(super) fn apply_env(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in variables {
            let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
            if NO_SETTINGS.contains(&name.as_str()) || name.starts_with(TEST_PREFIX) {
                continue;
            }
            if let Some(key) = name.strip_prefix(PREFIX) {
                let key = key.to_lowercase().replace("__", ".");
                self.insert(&key, scalar(value.clone()), Origin { name, text: Some(value) });
            }
        }
    }
}

/// A variable's text as YAML would read it where it is a number or a truth value, else as it is.
fn scalar(text: String) -> Value {
    match serde_json::from_str::<Value>(&text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text),
    }
}
