//! The keys of a Nameko configuration file that are spelt otherwise here, so that a service moves with the file that it has.

use super::{
    Settings,
    known::SettingInfo,
    tree::{Kind, Node},
};
use crate::{Error, ErrorKind, Result};

/// Nameko's key and ours.
const READ_AS: [(&str, &str); 5] = [
    ("AMQP_URI", "amqp_uri"),
    ("AMQP_SSL", "amqp_tls"),
    ("LOGIN_METHOD", "login_method"),
    ("HEARTBEAT", "heartbeat"),
    ("WEB_SERVER_ADDRESS", "http.address"),
];

/// What has no effect here, and why that does no harm.
const IGNORED: [(&str, &str); 7] = [
    ("ACCEPT", "kinoko reads every content type that it has a codec for"),
    ("AUTO_DELETE_EVENT_EXCHANGES", "an exchange that is there is used as it is, and one that kinoko makes stays"),
    ("DECLARE_EVENT_EXCHANGES", "an exchange that is there is used as it is, and one that is missing is made"),
    ("LOGGING", "it is for Python's loggers; write `log` and `log_format`"),
    ("PREFETCH_COUNT", "it follows `max_workers` and each handler's `concurrency`"),
    ("SERIALIZERS", "it names Python code; register a codec with `App::codec`"),
    ("TRANSPORT_OPTIONS", "a lost connection is made again by itself, and a publish waits for its deadline"),
];

impl Settings {
    /// Takes over what a file says in Nameko's words.
    pub(super) fn adopt_nameko(&mut self) -> Result<()> {
        for (key, why) in IGNORED {
            if let Some(node) = self.root.remove(key) {
                self.notes.push(format!("`{key}` ({}) is Nameko's and has no effect: {why}", node.origin));
            }
        }
        for (key, ours) in READ_AS {
            let Some(node) = self.root.remove(key) else { continue };
            if let Some(other) = self.find(ours) {
                let text = format!(
                    "setting `{ours}` (from {}) is set as Nameko's `{key}` too ({}): remove one of them",
                    other.origin, node.origin
                );
                return Err(Error::new(ErrorKind::Config, text));
            }
            self.adopt(key, node)?;
        }
        Ok(())
    }

    /// Puts a value under our own key where the one that it has is Nameko's.
    pub(super) fn adopt(&mut self, key: &str, mut node: Node) -> Result<()> {
        let Some((_, ours)) = READ_AS.into_iter().find(|(theirs, _)| *theirs == key) else {
            return self.insert(key, node);
        };
        let mut note = format!("`{key}` ({}), which is Nameko's, is read as `{ours}`", node.origin);
        if ours == "heartbeat" && matches!(node.kind, Kind::Number(_)) {
            // Nameko's is a number of seconds.
            let seconds = node.text.take().unwrap_or_default();
            node = Node { kind: Kind::Text(format!("{seconds}s")), text: None, origin: node.origin };
        }
        if ours == "http.address" && !cfg!(feature = "http") {
            note.push_str("; this program is built without HTTP (kinoko's feature `http`), so nothing listens there");
            self.declare([SettingInfo::new(ours)]);
        }
        self.notes.push(note);
        self.insert(ours, node)
    }

    /// What the log should say of these settings.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}
