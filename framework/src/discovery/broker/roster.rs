//! The programs that this one has heard of lately.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::presence::Presence;
use crate::{client::Directory, protocol::Name};

/// How many are kept. Whoever comes when it is full is heard again when others have gone.
const MOST: usize = 2048;

/// Who is there: what was said and has not grown old. Silence means gone.
#[derive(Debug, Default)]
pub(super) struct Roster(Mutex<HashMap<String, Heard>>);

#[derive(Debug)]
struct Heard {
    services: Vec<Name>,
    until: Instant,
}

impl Roster {
    fn heard(&self) -> MutexGuard<'_, HashMap<String, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hear(&self, presence: &Presence) {
        let now = Instant::now();
        let mut heard = self.heard();
        if heard.len() >= MOST && !heard.contains_key(&presence.instance) {
            heard.retain(|_, heard| heard.until > now);
            if heard.len() >= MOST {
                return;
            }
        }
        let entry = Heard { services: presence.names(), until: now + presence.ttl() };
        heard.insert(presence.instance.clone(), entry);
    }

    pub(super) fn bye(&self, instance: &str) {
        self.heard().remove(instance);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        let now = Instant::now();
        self.heard().values().filter(|heard| heard.until > now).count()
    }

    /// How long everybody may wait before they speak again, so that each is spoken to once a second at most, however many there are.
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(60).max(Duration::from_secs(self.len() as u64))
    }
}

impl Directory for Roster {
    fn services(&self) -> Vec<Name> {
        let now = Instant::now();
        let heard = self.heard();
        let there = heard.values().filter(|heard| heard.until > now);
        there.flat_map(|heard| heard.services.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::presence::tests::presence, *};

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_bye_mean_gone() {
        let roster = Roster::default();
        roster.hear(&presence("1", &["orders"]));
        roster.hear(&presence("2", &["payments"]));
        roster.bye("2");
        assert_eq!(roster.services(), ["orders"]);
        tokio::time::advance(Duration::from_secs(59)).await;
        roster.hear(&presence("3", &["stock"]));
        assert_eq!(roster.len(), 2);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(roster.services(), ["stock"]);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_do_not_push_out_who_is_there() {
        let roster = Roster::default();
        roster.hear(&presence("here", &["orders"]));
        for number in 0..2 * MOST {
            roster.hear(&presence(&format!("stranger-{number}"), &["stranger"]));
        }
        assert_eq!(roster.len(), MOST);
        assert!(roster.services().contains(&"orders".into()));
        assert_eq!(roster.interval(), Duration::from_secs(MOST as u64));
        tokio::time::advance(Duration::from_secs(61)).await;
        roster.hear(&presence("late", &["payments"]));
        assert_eq!(roster.services(), ["payments"]);
    }
}
