//! What the broker has to be asked for: other programs, and how many dead letters there are.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::circuits;
use crate::{
    container::Program,
    dead_letter::DeadLetters,
    discovery::{Fleet, Kind, Neighbours, Presence, Stats},
    task::Tasks,
};

/// How often others are asked while somebody looks.
const FLEET_EVERY: Duration = Duration::from_secs(3);
/// Each queue is a question of its own.
const LETTERS_EVERY: Duration = Duration::from_secs(5);
/// How long the broker may take.
const LIMIT: Duration = Duration::from_secs(3);
/// How many programs are shown.
const MOST_SHOWN: usize = 200;

/// What was heard last.
pub(super) struct Afar {
    neighbours: Neighbours,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    fleet: Option<Value>,
    letters: Option<Value>,
    fleet_due: Option<Instant>,
    letters_due: Option<Instant>,
}

impl Afar {
    pub(super) fn new(neighbours: Neighbours) -> Self {
        Self { neighbours, heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks what is due, beside. Nobody waits for it.
    pub(super) fn look(self: &Arc<Self>, program: &Program) {
        let now = Instant::now();
        let is_due = |due: &mut Option<Instant>, every: Duration| {
            let is_due = due.is_none_or(|due| now >= due);
            if is_due {
                // Later than a question may take: there is one at a time.
                *due = Some(now + every.max(LIMIT + Duration::from_secs(1)));
            }
            is_due
        };
        let (fleet_is_due, letters_are_due) = {
            let mut heard = self.heard();
            (is_due(&mut heard.fleet_due, FLEET_EVERY), is_due(&mut heard.letters_due, LETTERS_EVERY))
        };
        if fleet_is_due && let Some(fleet) = self.neighbours.fleet() {
            let (afar, own) = (self.clone(), fleet.instance().to_owned());
            Tasks::new().spawn_detached(async move {
                let told = told(&fleet, &own).await;
                let mut heard = afar.heard();
                heard.fleet = Some(told);
                heard.fleet_due = Some(now + FLEET_EVERY);
            });
        }
        if letters_are_due {
            let (afar, letters) = (self.clone(), program.dead_letters());
            Tasks::new().spawn_detached(async move {
                let told = waiting(&letters).await;
                afar.heard().letters = Some(told);
            });
        }
    }

    /// Adds what was heard; `null` where nothing was yet.
    pub(super) fn add(&self, told: &mut Value) {
        let heard = self.heard();
        told["fleet"] = heard.fleet.clone().unwrap_or_default();
        told["fleet_is_known"] = self.neighbours.fleet().is_some().into();
        told["dead_letters"] = heard.letters.clone().unwrap_or_default();
    }
}

/// The programs that answer, and what they count.
async fn told(fleet: &Fleet, own: &str) -> Value {
    let answers = match timeout(LIMIT, fleet.ask(Kind::Stats, None, crate::discovery::ANSWER_TIME)).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(error)) => return json!({ "problem": error.to_string() }),
        Err(_) => return json!({ "problem": "the broker does not answer" }),
    };
    let mut instances: Vec<_> = answers.iter().filter_map(|answer| Stats::read(answer)).collect();
    instances.sort_by(|(one, _), (other, _)| one.order().cmp(&other.order()));
    let (number, services) = (instances.len(), |(presence, stats): &(Presence, Stats)| instance(presence, stats, own));
    json!({
        "number": number,
        "instances": instances.iter().take(MOST_SHOWN).map(services).collect::<Vec<_>>(),
        "policies": circuits::told(&instances, own),
    })
}

fn instance(presence: &Presence, stats: &Stats, own: &str) -> Value {
    let services = presence.services.iter().map(|service| {
        let counted = stats.services.iter().filter(|counted| counted.name == service.name);
        let entrypoints: Vec<_> = counted.flat_map(|counted| &counted.entrypoints).collect();
        let sum = |ways: &[&str]| entrypoints.iter().fold(0_u64, |sum, one| sum.saturating_add(one.ended(ways)));
        json!({
            "name": service.name,
            "busy_workers": service.busy_workers,
            "max_workers": service.max_workers,
            "total": entrypoints.iter().fold(0_u64, |sum, one| sum.saturating_add(one.total())),
            "failed": sum(&["unexpected_error", "timeout"]),
        })
    });
    json!({
        "instance": presence.instance,
        "is_this": presence.instance == own,
        "program": presence.program,
        "version": presence.version,
        "host": presence.host,
        "pid": presence.pid,
        "uptime_ms": presence.uptime_ms,
        "ready": presence.ready,
        "services": services.collect::<Vec<_>>(),
    })
}

/// The queues of dead letters of this program's services. Nothing is taken from them.
async fn waiting(letters: &DeadLetters) -> Value {
    match timeout(LIMIT, letters.queues()).await {
        Ok(Ok(queues)) => {
            let queues = queues.iter().map(|queue| {
                json!({
                    "queue": &*queue.name, "service": queue.service, "method": queue.method, "letters": queue.letters,
                })
            });
            json!({ "queues": queues.collect::<Vec<_>>() })
        }
        Ok(Err(error)) => json!({ "problem": error.to_string() }),
        Err(_) => json!({ "problem": "the broker does not answer" }),
    }
}
