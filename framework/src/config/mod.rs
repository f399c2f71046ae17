//! Settings: a file, then the environment over it.

mod env;

use std::{collections::BTreeMap, fmt, path::Path};

use kinoko_text::parse_duration;
use serde::de::DeserializeOwned;
use serde_json::Map;

use crate::{Error, ErrorKind, Result, protocol::Value};

/// What a program was told: one file, then `KINOKO_…` variables over it, then what the program itself [`set`](Self::set).
///
/// The file is `kinoko.yaml` in the working directory, or the one that `KINOKO_CONFIG` names.
/// A variable's name is its key in capitals, with two underscores where the key has a dot: `KINOKO_ORDERS__MAX_LINES` is `orders.max_lines`.
///
/// # kinoko's own keys
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `amqp_uri` | `memory://` | the broker: `memory://`, `amqp://user:password@host:5672/vhost` |
/// | `max_workers` | 256 | workers that run at once in one service instance |
/// | `rpc_timeout` | `30s` | how long a client waits for a reply, where nothing else is said |
/// | `grace_period` | `25s` | how long a stop waits for running workers |
/// | `rpc_codec` | `msgpack` | what typed clients speak to kinoko services: `msgpack` or `json` |
/// | `serializer` | `json` | what everything else is sent in, Python services included: `json` or `msgpack` |
/// | `max_body_bytes` | 16777216 | the largest body that is sent |
/// | `parent_calls_tracked` | 10 | how many callers the call-id stack names |
/// | `wire` | `kinoko` | `nameko`: serve Nameko's queues only |
/// | `log` | `info` | what is logged: a level, or `target=level` pairs with commas between |
///
/// # Examples
///
/// ```
/// let settings = kinoko::Settings::from_yaml("orders:\n  max_lines: 7")?;
/// assert_eq!(settings.get::<usize>("orders.max_lines")?, Some(7));
/// assert_eq!(settings.get::<usize>("orders.min_lines")?, None);
/// # Ok::<(), kinoko::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    values: Map<String, Value>,
    /// Where each value that does not come from the file was set.
    origins: BTreeMap<String, Origin>,
}

/// Where a value was set.
#[derive(Debug, Clone)]
struct Origin {
    name: String,
    /// The variable's own text: `1.10` as a number is not the text that was written.
    text: Option<String>,
}

impl Settings {
    /// Reads the file and the environment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a file that is named and missing, or that is no YAML map.
    pub fn load() -> Result<Self> {
        let named = std::env::var("KINOKO_CONFIG").ok();
        let path = Path::new(named.as_deref().unwrap_or("kinoko.yaml"));
        let mut settings = match std::fs::read_to_string(path) {
            Ok(text) => Self::from_yaml(&text).map_err(|error| {
                Error::new(ErrorKind::Config, format!("settings file `{}`: {}", path.display(), error.chain()))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Self::default(),
            Err(error) => {
                let text = format!("settings file `{}` cannot be read: {error}", path.display());
                return Err(Error::new(ErrorKind::Config, text));
            }
        };
        settings.apply_env(std::env::vars_os());
        Ok(settings)
    }

    /// Settings from the text of a YAML file alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where the text is no YAML map.
    pub fn from_yaml(text: &str) -> Result<Self> {
        let values = serde_saphyr::from_str::<Option<Map<String, Value>>>(text)
            .map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
        Ok(Self { values: values.unwrap_or_default(), origins: BTreeMap::new() })
    }

    /// Sets a value over the file and the environment. Dots in the key step into maps.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.insert(key, value.into(), Origin { name: "the program".to_owned(), text: None });
    }

    /// The value of a key, if anybody set it. Dots step into maps.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a value of another type, naming the key and where it was set.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(value) = self.find(key) else { return Ok(None) };
        let refused = match T::deserialize(value) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        // A variable `7` was read as a number, but may be meant as a text.
        if let Some(text) = self.origins.get(key).and_then(|origin| origin.text.clone().or_else(|| scalar_text(value)))
            && let Ok(value) = T::deserialize(Value::String(text))
        {
            return Ok(Some(value));
        }
        let origin = self.origins.get(key).map_or("the settings file", |origin| &origin.name);
        Err(Error::new(ErrorKind::Config, format!("setting `{key}` (from {origin}): {refused}")))
    }

    /// A duration, written as `30s`, or the default.
    pub(crate) fn duration(&self, key: &str, default: std::time::Duration) -> Result<std::time::Duration> {
        // A bare number is refused with what to write, as any other text is.
        let text = match self.get::<Value>(key)? {
            Some(value) => match scalar_text(&value) {
                Some(text) => Some(text),
                None => self.get::<String>(key)?,
            },
            None => None,
        };
        match text {
            Some(text) => {
                parse_duration(&text).map_err(|text| Error::new(ErrorKind::Config, format!("setting `{key}`: {text}")))
            }
            None => Ok(default),
        }
    }

    fn find(&self, key: &str) -> Option<&Value> {
        let mut steps = key.split('.');
        let mut value = self.values.get(steps.next()?)?;
        for step in steps {
            value = value.get(step)?;
        }
        Some(value)
    }

    fn insert(&mut self, key: &str, value: Value, origin: Origin) {
        self.origins.insert(key.to_owned(), origin);
        let (path, last) = key.rsplit_once('.').unwrap_or(("", key));
        let mut map = &mut self.values;
        for step in path.split('.').filter(|step| !step.is_empty()) {
            let entry = map.entry(step).or_insert_with(|| Value::Object(Map::new()));
            if !entry.is_object() {
                *entry = Value::Object(Map::new());
            }
            map = entry.as_object_mut().expect("it was just made one");
        }
        map.insert(last.to_owned(), value);
    }
}

impl fmt::Debug for Settings {
    /// Keys only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("keys", &self.values.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// What is said of a setting that nobody set.
pub(crate) fn missing(key: &str) -> String {
    format!(
        "setting `{key}` is missing: write it into kinoko.yaml, set {}, or give the field a `default`",
        env::variable(key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_goes_over_the_file_and_keeps_text_text() {
        let mut settings = Settings::from_yaml("max_workers: 3\norders: {max_lines: 1, note: x}").unwrap();
        settings.apply_env(
            [("KINOKO_MAX_WORKERS", "9"), ("KINOKO_ORDERS__NOTE", "12"), ("PATH", "/bin"), ("KINOKO_CONFIG", "a.yaml")]
                .map(|(key, value)| (key.into(), value.into())),
        );
        assert_eq!(settings.get::<usize>("max_workers").unwrap(), Some(9));
        assert_eq!(settings.get::<usize>("orders.max_lines").unwrap(), Some(1));
        assert_eq!(settings.get::<String>("orders.note").unwrap().as_deref(), Some("12"));
        assert_eq!(settings.get::<String>("config").unwrap(), None);
        for text in ["1.10", "12345e6", "123456789012345678901234567890"] {
            settings.apply_env([("KINOKO_VERSION".into(), text.into())]);
            assert_eq!(settings.get::<String>("version").unwrap().as_deref(), Some(text));
        }
    }

    #[test]
    fn a_duration_without_a_unit_is_told_what_to_write() {
        let settings = Settings::from_yaml("grace_period: 30").unwrap();
        let error = settings.duration("grace_period", std::time::Duration::ZERO).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("setting `grace_period`: `30` is no duration: its unit is missing; write `2s`"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_type_names_key_and_origin() {
        let mut settings = Settings::default();
        settings.apply_env([("KINOKO_MAX_WORKERS".into(), "many".into())]);
        let error = settings.get::<usize>("max_workers").unwrap_err();
        assert_eq!(
            error.to_string(),
            "setting `max_workers` (from KINOKO_MAX_WORKERS): invalid type: string \"many\", expected usize"
        );
    }
}
