use std::time::Duration;

use crate::{protocol::Value, transport::Queue};

/// What a queue's arguments ask of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rules {
    /// It goes when it had no consumer for this long.
    pub(super) expires: Option<Duration>,
    /// A message in it expires after this long.
    pub(super) message_ttl: Option<Duration>,
    /// How many messages may wait in it.
    pub(super) max_length: Option<usize>,
    /// A full queue refuses what comes; else it drops what is oldest.
    pub(super) rejects_when_full: bool,
    /// The highest priority that it tells apart; 0: none.
    pub(super) max_priority: u8,
    /// Only its oldest consumer gets messages.
    pub(super) single_active_consumer: bool,
}

/// Where a queue is kept, and what becomes of a message that ended its consumer a thousand times: in one process that keeps them in memory
/// there is nothing to do about either.
const WITHOUT_EFFECT: [&str; 9] = [
    "x-queue-type",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-leader-locator",
    "x-quorum-initial-group-size",
    "x-delivery-limit",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
];

impl Rules {
    /// Reads them, with one warning for each argument that this broker does not honour.
    pub(super) fn of(queue: &Queue) -> Self {
        let mut rules =
            Self { expires: queue.expires, single_active_consumer: queue.single_active_consumer, ..Self::default() };
        for (key, value) in queue.arguments.iter() {
            if !rules.read(key, value) && !WITHOUT_EFFECT.contains(&&**key) {
                tracing::warn!(queue = %queue.name, argument = %key, %value, "the in-memory broker does not honour this argument");
            }
        }
        let dead_letters = queue.arguments.get("x-dead-letter-exchange").is_some();
        if dead_letters && (rules.message_ttl.is_some() || rules.max_length.is_some()) {
            tracing::warn!(queue = %queue.name, "the in-memory broker drops what expires or overflows, it has no dead-letter exchanges");
        }
        rules
    }

    fn read(&mut self, key: &str, value: &Value) -> bool {
        let ms = || value.as_u64().map(Duration::from_millis);
        match key {
            "x-expires" => ms().map(|after| self.expires = Some(after)),
            "x-message-ttl" => ms().map(|after| self.message_ttl = Some(after)),
            "x-max-length" => {
                value.as_u64().map(|most| self.max_length = Some(usize::try_from(most).unwrap_or(usize::MAX)))
            }
            "x-max-priority" => {
                value.as_u64().map(|highest| self.max_priority = u8::try_from(highest).unwrap_or(u8::MAX))
            }
            "x-single-active-consumer" => value.as_bool().map(|only_one| self.single_active_consumer |= only_one),
            "x-overflow" => match value.as_str() {
                Some("drop-head") => Some(()),
                Some("reject-publish") => {
                    self.rejects_when_full = true;
                    Some(())
                }
                _ => None,
            },
            _ => None,
        }
        .is_some()
    }
}
