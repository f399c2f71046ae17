//! What a lane with an order remembers of messages that may come to it again: a lost connection begins neither the count of their attempts
//! anew, nor the pause between two of them.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::received::{Deliveries, Received};
use crate::{
    event::Verdict,
    protocol::{Message, Name, delivery_headers as headers},
};

/// How many messages are remembered, those that were noted last: four times what one connection can lose.
const MOST_REMEMBERED: usize = 1024;

/// Longer than it takes to connect again; but a dead letter that is replayed may come by way of another instance, and is a new message.
const VERDICT_HOLDS: Duration = Duration::from_secs(5 * 60);

#[derive(Default)]
pub(super) struct Recall(Mutex<State>);

#[derive(Default)]
struct State {
    /// Each with the number of its last change.
    notes: HashMap<Name, (u64, Note)>,
    changes: u64,
}

/// What is known of one message.
#[derive(Debug, Clone, Default)]
pub(super) struct Note {
    /// Which attempt is next; 0: what the message says.
    pub(super) attempt: u32,
    pub(super) first_failure: Option<u64>,
    /// When that may begin; until when a verdict holds.
    pub(super) due: Option<Instant>,
    /// How its last attempt ended, after which there is none.
    pub(super) verdict: Option<Verdict>,
    /// How often it was delivered before it came to this process first; 0 where a worker of this process has outlived it.
    pub(super) deliveries: u64,
}

impl Note {
    /// That there is no further attempt, as the broker could not be told at once.
    pub(super) fn last(self, verdict: &Verdict) -> Self {
        let due = Instant::now().checked_add(VERDICT_HOLDS);
        Self { due, verdict: Some(verdict.clone()), ..self }
    }

    fn holds(&self) -> bool {
        self.verdict.is_none() || self.due.is_some_and(|due| Instant::now() < due)
    }
}

impl Recall {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the broker tells of a delivery. Its later counts contain what this process has outlived.
    pub(super) fn arrived(&self, received: &Received) {
        let mut state = self.state();
        if received.delivery.redelivered() {
            let Deliveries { count, by_broker, .. } = received.deliveries();
            let id = id(&received.message);
            if !state.notes.contains_key(&id) {
                state.set(id, Note { deliveries: if by_broker { count } else { 0 }, ..Note::default() });
            }
        } else if !state.notes.is_empty() {
            // Published anew, as a replay does: it begins at its beginning.
            state.notes.remove(&id(&received.message));
        }
    }

    pub(super) fn of(&self, received: &Received) -> Note {
        let state = self.state();
        if state.notes.is_empty() {
            return Note::default();
        }
        let note = state.notes.get(&id(&received.message)).map(|(_, note)| note);
        note.filter(|note| note.holds()).cloned().unwrap_or_default()
    }

    pub(super) fn set(&self, received: &Received, note: Note) {
        self.state().set(id(&received.message), note);
    }
}

impl State {
    fn set(&mut self, id: Name, note: Note) {
        self.changes += 1;
        self.notes.insert(id, (self.changes, note));
        if self.notes.len() > MOST_REMEMBERED {
            let oldest = self.notes.iter().min_by_key(|(_, (change, _))| *change).map(|(id, _)| id.clone());
            oldest.map(|id| self.notes.remove(&id));
        }
    }
}

/// What a message is known by: its id, or what it says, as Nameko gives none.
pub(super) fn id(message: &Message) -> Name {
    let properties = &message.properties;
    if let Some(id) = &properties.message_id {
        return id.clone();
    }
    let mut hasher = DefaultHasher::new();
    (&message.routing_key, &properties.correlation_id, &message.body).hash(&mut hasher);
    for (name, value) in properties.headers.iter() {
        if name != headers::BROKER_DELIVERIES {
            (name, value).hash(&mut hasher);
        }
    }
    format!("{:016x}", hasher.finish()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Action, protocol::Fault};

    fn message(body: &str, deliveries: u64) -> Message {
        let mut message = Message { body: body.to_owned().into(), ..Message::default() };
        message.properties.headers.set("nameko.call_id_stack", "a");
        message.properties.headers.set(headers::BROKER_DELIVERIES, deliveries);
        message
    }

    #[test]
    fn a_message_without_an_id_is_known_by_what_it_says_however_often_it_comes() {
        assert_eq!(id(&message("1", 1)), id(&message("1", 2)));
        assert_ne!(id(&message("1", 1)), id(&message("2", 1)));
        let mut named = message("1", 1);
        named.properties.message_id = Some("name".into());
        assert_eq!(id(&named), "name");
    }

    #[tokio::test(start_paused = true)]
    async fn a_verdict_does_not_hold_for_ever() {
        let verdict = Verdict::new(Action::Retry, Fault::internal("Broken", "broken"));
        let note = Note::default().last(&verdict);
        assert!(note.holds() && Note::default().holds());
        tokio::time::advance(VERDICT_HOLDS).await;
        assert!(!note.holds());
    }

    #[test]
    fn what_was_noted_last_is_remembered() {
        let recall = Recall::default();
        for number in 0..=MOST_REMEMBERED {
            recall.state().set(number.to_string().into(), Note::default());
            recall.state().set("0".into(), Note::default());
        }
        let state = recall.state();
        assert_eq!(state.notes.len(), MOST_REMEMBERED);
        assert!(state.notes.contains_key("0") && !state.notes.contains_key("1"));
    }
}
