//! All that the page shows at once.

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Live, traces,
    window::{Counted, Told},
};
use crate::http::ops::health;

/// How many of the last failures are shown.
const FAILURES: usize = 50;

/// How it is now. Those who ask within the same second get the same.
pub(super) async fn take(live: &Live) -> Value {
    let mut window = live.window.lock().await;
    let now = Instant::now();
    if let Some(last) = window.last(now) {
        return last;
    }
    live.afar.look(&live.watched.program);
    let program = &live.watched.program;
    let observer = program.observer();
    let counted = Counted { program: observer.snapshot(), policies: program.policies().look() };
    let Told { entrypoints, calls, policies } = window.add(now, &counted);
    let counted = counted.program;
    let failures: Vec<_> = observer.recent().failures().into_iter().take(FAILURES).collect();
    let (health, services) = (health::report(&live.watched).1, services(live));
    let mut taken = json!({
        "at": Timestamp::now().to_string(),
        "program": live.watched.about.brief(),
        "health": health,
        "pending_calls": program.pending_calls(),
        "reconnects": counted.reconnects,
        "published": {
            "confirmed": counted.published_confirmed,
            "unrouted": counted.published_unrouted,
            "failed": counted.published_failed,
        },
        "services": services,
        "entrypoints": entrypoints,
        "calls": calls,
        "policies": policies,
        "failures": failures.iter().map(|failure| json!(**failure)).collect::<Vec<_>>(),
        "traces": traces::latest(&observer.recent().spans()),
    });
    live.afar.add(&mut taken);
    window.keep(now, taken.clone());
    taken
}

fn services(live: &Live) -> Vec<Value> {
    let services = live.watched.program.services();
    let told = services
        .iter()
        .map(|service| json!({ "name": service.name, "busy_workers": service.busy.0, "max_workers": service.busy.1 }));
    told.collect()
}
