//! What must hold of sagas and effects when all is over.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use kinoko::saga::{Instance, SagaState};
use kinoko_tests::{Order, Point, eventually};

use super::{plan::STEPS, stage::Stage};

/// What became of sagas.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) completed: usize,
    pub(super) compensated: usize,
    pub(super) parked: usize,
    /// Kills of processes that run sagas.
    pub(super) hosts: usize,
    /// Kills of processes that write effects.
    pub(super) effects: usize,
    pub(super) applied: usize,
    pub(super) undone: usize,
}

/// The service that writes effects.
const EFFECTS: &str = "faults_effects";

/// The numbers of an effect's rows, by what they are.
type Rows = HashMap<String, Vec<String>>;

impl Stage {
    /// Holds the rows of these sagas against what their logs say, when no call is on its way any more.
    pub(super) async fn check(&self, orders: &[Order]) -> Sum {
        // Queues of other tests on this broker may be full.
        let is_waiting = || self.node.full_queues().keys().any(|name| name.contains(EFFECTS));
        let worked = || async { (!is_waiting()).then_some(()) };
        self.with_effects(eventually(Duration::from_secs(60), "every call is worked", worked)).await;
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT saga, what, receipt FROM effect").fetch_all(&*self.rows).await.unwrap();
        let mut rows_of: HashMap<String, Rows> = HashMap::new();
        for (saga, what, receipt) in rows {
            rows_of.entry(saga).or_default().entry(what).or_default().push(receipt);
        }
        let mut ended: HashMap<_, _> =
            self.ended.lock().unwrap().drain(..).map(|instance| (instance.id.id.clone(), instance)).collect();
        let mut sum = Sum {
            hosts: self.killed.hosts.swap(0, Ordering::Relaxed),
            effects: self.killed.effects.swap(0, Ordering::Relaxed),
            ..Sum::default()
        };
        for order in orders {
            let instance = ended.remove(&order.id).unwrap_or_else(|| panic!("{order:?} is not in the log"));
            let rows = rows_of.remove(&order.id).unwrap_or_default();
            sum.add(order, &instance, &rows);
        }
        sum
    }
}

/// What the process that was just killed had been told to be in the log, or had acted on, must be there.
pub(super) fn is_written(order: &Order, instance: Option<&Instance>) {
    let (seq, steps) = match instance {
        Some(instance) => (Some(instance.seq), &*instance.progress.steps),
        None => (None, &[][..]),
    };
    let is_there = match order.kills.last() {
        Some(Point::Written(transition) | Point::After(transition)) => seq >= Some(*transition),
        Some(Point::Asked(call) | Point::Answered(call)) => {
            let (undone, name) = match call.strip_prefix("undo ") {
                Some(name) => (true, name),
                None => (false, &**call),
            };
            let step = steps.iter().find(|step| step.name == name);
            step.is_some_and(|step| if undone { step.compensations > 0 } else { step.attempts > 0 })
        }
        _ => true,
    };
    assert!(is_there, "{order:?}: the log has {instance:?}");
}

impl Sum {
    fn add(&mut self, order: &Order, instance: &Instance, rows: &Rows) {
        let told = || format!("{order:?}: {rows:?}; {:?}", instance.progress);
        match instance.state {
            SagaState::Completed => self.completed += 1,
            SagaState::Compensated => self.compensated += 1,
            SagaState::Parked => self.parked += 1,
            state => panic!("it is {state}: {}", told()),
        }
        if order.refused.is_some() {
            assert_eq!(instance.state, SagaState::Compensated, "{}", told());
        }
        for (step, progress) in STEPS.iter().zip(&instance.progress.steps) {
            let of = |prefix: &str| rows.get(&format!("{prefix}{step}")).map_or(&[][..], Vec::as_slice);
            let (applied, undone, void) = (of(""), of("undo "), of("void "));
            self.applied += applied.len();
            self.undone += undone.len();
            match instance.state {
                SagaState::Completed => assert_eq!((applied.len(), undone.len(), void.len()), (1, 0, 0), "{}", told()),
                // What nobody knew of was taken back where it was there, and kept from coming where it was not.
                _ => {
                    assert!(applied.len() <= 1 && void.len() <= 1, "{}", told());
                    assert_eq!(applied, undone, "{}", told());
                    assert!(applied.is_empty() || void.is_empty(), "{}", told());
                }
            }
            // What the log was told is what is there.
            if let Some(output) = &progress.output {
                assert_eq!(applied, [output.as_str().unwrap().to_owned()], "{}", told());
            }
        }
    }
}
