//! `KINOKO_…` variables over the file.

use std::ffi::OsString;

use super::{
    Settings,
    tree::{Node, Origin},
};
use crate::{Error, ErrorKind, Result};

pub(super) const PREFIX: &str = "KINOKO_";
/// Variables that are about the program's surroundings, not settings of it.
const NO_SETTINGS: &[&str] = &["KINOKO_CONFIG", "KINOKO_EXPAND"];
const TEST_PREFIX: &str = "KINOKO_TEST_";

/// The variable that sets a key.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

impl Settings {
    pub(super) fn apply_env(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<()> {
        let mut ours = Vec::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            if !name.starts_with(PREFIX) || name.starts_with(TEST_PREFIX) || NO_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            let value = value
                .into_string()
                .map_err(|_| Error::new(ErrorKind::Config, format!("the value of {name} is no UTF-8 text")))?;
            ours.push((name, value));
        }
        // A section comes before what is inside it.
        ours.sort();
        for (name, value) in ours {
            let key = name[PREFIX.len()..].to_lowercase().replace("__", ".");
            self.insert(&key, Node::loose(value, Origin::Variable(name)))?;
        }
        Ok(())
    }
}

/// Whether Kubernetes puts such a variable into every container, for a service whose own name begins with `kinoko`.
pub(super) fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, port)| port.starts_with(|letter: char| letter.is_ascii_digit()))
}
