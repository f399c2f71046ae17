//! What a program says of itself to everybody.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol::Name;

/// What is longer is of no use to people, and not kept.
const LONGEST_TEXT: usize = 255;
/// More services than one program has.
const MOST_SERVICES: usize = 256;
/// The longest and the shortest that others believe it.
const TTL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60 * 60));

/// One running program. The body of `hello`, of the answer to `ping`, and the beginning of the other answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Presence {
    /// Random, for as long as the process runs.
    pub(crate) instance: String,
    /// What people call the program.
    pub(crate) program: String,
    /// Its own version, if it says.
    #[serde(default)]
    pub(crate) version: Option<String>,
    /// kinoko's.
    pub(crate) kinoko: String,
    /// The machine, where the system tells its name.
    #[serde(default)]
    pub(crate) host: Option<String>,
    pub(crate) pid: u32,
    /// By its own clock.
    pub(crate) started_at: String,
    pub(crate) uptime_ms: u64,
    /// Whether it takes requests.
    pub(crate) ready: bool,
    /// For how long this holds, unless it is said again.
    pub(crate) ttl_ms: u64,
    pub(crate) services: Vec<ServicePresence>,
}

/// One service of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServicePresence {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) busy_workers: u64,
    #[serde(default)]
    pub(crate) max_workers: u64,
}

impl Presence {
    /// Reads what came from anywhere; `None` where it is none. Texts are cut, and hold nothing that a terminal would obey.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut presence: Self = serde_json::from_slice(body).ok()?;
        let texts = [&mut presence.instance, &mut presence.program, &mut presence.kinoko, &mut presence.started_at];
        let further = presence.version.iter_mut().chain(presence.host.iter_mut());
        texts.into_iter().chain(further).for_each(tame);
        presence.services.truncate(MOST_SERVICES);
        presence.services.retain(|service| is_name(&service.name));
        is_name(&presence.instance).then_some(presence)
    }

    /// By which people look for one: program, host, process.
    #[cfg(any(feature = "cli", feature = "http"))]
    pub(crate) fn order(&self) -> (&str, Option<&str>, u32, &str) {
        (&self.program, self.host.as_deref(), self.pid, &self.instance)
    }

    pub(super) fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms).clamp(TTL.0, TTL.1)
    }

    pub(super) fn names(&self) -> Vec<Name> {
        self.services.iter().map(|service| service.name.clone().into()).collect()
    }
}

/// What can be the name of a service, or of an instance.
fn is_name(text: &str) -> bool {
    (1..=LONGEST_TEXT).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// A text from anywhere as a terminal may have it.
#[cfg(feature = "cli")]
pub(crate) fn plain(text: &str) -> String {
    text.replace(|letter: char| letter.is_control(), "\u{fffd}")
}

pub(super) fn tame(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        let end = (0..=LONGEST_TEXT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
    if text.chars().any(char::is_control) {
        *text = text.replace(char::is_control, "\u{fffd}");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn presence(instance: &str, services: &[&str]) -> Presence {
        let service = |name: &&str| ServicePresence { name: (*name).to_owned(), busy_workers: 0, max_workers: 1 };
        Presence {
            instance: instance.to_owned(),
            program: "test".to_owned(),
            version: None,
            kinoko: "0.1.0".to_owned(),
            host: None,
            pid: 1,
            started_at: String::new(),
            uptime_ms: 0,
            ready: true,
            ttl_ms: 60_000,
            services: services.iter().map(service).collect(),
        }
    }

    #[test]
    fn what_came_from_anywhere_is_tamed() {
        let mut body = serde_json::to_value(presence("1", &["orders", "", "or\x1b[2Jders", &"x".repeat(300)])).unwrap();
        body["program"] = json!("\x1b]0;title\x07shop");
        body["host"] = json!("h".repeat(10_000));
        body["further"] = json!({"deep": [1, 2, 3]});
        let read = Presence::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(read.names(), ["orders"]);
        assert_eq!(read.program, "\u{fffd}]0;title\u{fffd}shop");
        assert_eq!(read.host.unwrap().len(), LONGEST_TEXT);
        body["ttl_ms"] = json!(u64::MAX);
        assert_eq!(Presence::read(body.to_string().as_bytes()).unwrap().ttl(), TTL.1);
        body["instance"] = json!("a\nb\u{0}".repeat(2));
        assert!(Presence::read(body.to_string().as_bytes()).is_none_or(|read| !read.instance.contains('\n')));
        for wrong in [&b""[..], b"{}", b"[]", b"\xff", "[".repeat(100_000).as_bytes()] {
            assert_eq!(Presence::read(wrong), None);
        }
    }
}
