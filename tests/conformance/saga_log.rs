//! The promises of `kinoko::saga::SagaLog`, each written once. No lease is waited for: one that is over at once takes the place of one that
//! ran out.

use std::time::Duration;

use kinoko::saga::{
    Claim, Claimed, Happened, Holder, LogError, NewSaga, Progress, SagaFilter, SagaId, SagaLog, SagaState, Started,
    StepProgress, StepState, Then, Transition, What,
};
use kinoko_tests::unique;
use serde_json::json;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// One saga of a name of its own, so that tests share a database.
struct Case<'a> {
    log: &'a dyn SagaLog,
    saga: String,
    service: String,
}

fn holder(owner: &str, lease: Duration) -> Holder {
    Holder { owner: owner.to_owned(), lease }
}

impl<'a> Case<'a> {
    fn new(log: &'a dyn SagaLog) -> Self {
        Self { log, saga: unique("saga"), service: unique("service") }
    }

    fn id(&self, id: &str) -> SagaId {
        SagaId::new(&self.saga, id)
    }

    fn saga(&self, id: &str) -> NewSaga {
        let step =
            StepProgress { name: "first".into(), state: StepState::Running, attempts: 1, ..StepProgress::default() };
        NewSaga {
            id: self.id(id),
            service: self.service.clone(),
            version: 3,
            steps: "u32 > first: ()".into(),
            state: SagaState::Running,
            input: json!({"sku": "lamp", "price": 1.5, "note": null}),
            context: [("nameko.language".to_owned(), json!("de"))].into_iter().collect(),
            progress: Progress { steps: vec![step], ..Progress::default() },
            happened: vec![Happened::new(What::Started), Happened::to(What::Begun, "first").attempt(1)],
        }
    }

    async fn start(&self, id: &str, lease: Duration) -> Claimed {
        match self.log.start(self.saga(id), &holder("first", lease)).await.unwrap() {
            Started::New(claimed) => *claimed,
            Started::Exists(found) => panic!("{} is there already", found.id),
        }
    }

    async fn claim(&self, owner: &str, lease: Duration) -> Vec<Claimed> {
        let claim = Claim { saga: &self.saga, service: &self.service, limit: 10 };
        self.log.claim(claim, &holder(owner, lease)).await.unwrap()
    }
}

fn transition(seq: u64, state: SagaState, then: Then) -> Transition {
    let step = StepProgress {
        name: "first".into(),
        state: StepState::Done,
        output: Some(json!(null)),
        ..StepProgress::default()
    };
    let progress = Progress { steps: vec![step], ..Progress::default() };
    Transition { seq, state, progress, happened: vec![Happened::to(What::Done, "first")], seen: 0, then }
}

pub(crate) async fn what_is_started_is_there_once(log: &dyn SagaLog) {
    let case = Case::new(log);
    let claimed = case.start("1", HOUR).await;
    assert_eq!((claimed.lease.fence, claimed.instance.seq), (1, 0));
    let Started::Exists(found) = log.start(case.saga("1"), &holder("second", HOUR)).await.unwrap() else {
        panic!("started twice")
    };
    let loaded = log.load(&case.id("1")).await.unwrap().unwrap();
    for instance in [*found, loaded] {
        let new = case.saga("1");
        assert_eq!(instance.id, new.id);
        assert_eq!((instance.service, instance.version, instance.steps), (new.service, 3, new.steps));
        assert_eq!((instance.input, instance.context, instance.progress), (new.input, new.context, new.progress));
        assert_eq!(instance.owner.as_deref(), Some("first"));
    }
    assert!(log.load(&case.id("2")).await.unwrap().is_none());
    let timeline = log.timeline(&case.id("1")).await.unwrap();
    let told: Vec<_> = timeline.iter().map(|entry| (entry.number, entry.what.to_string())).collect();
    assert_eq!(told, [(1, "started".to_owned()), (2, "begun first".to_owned())]);
}

pub(crate) async fn a_transition_changes_all_or_nothing(log: &dyn SagaLog) {
    let case = Case::new(log);
    let lease = case.start("1", HOUR).await.lease;
    log.append(&lease, transition(1, SagaState::Running, Then::Keep)).await.unwrap();
    let loaded = log.load(&case.id("1")).await.unwrap().unwrap();
    assert_eq!((loaded.seq, loaded.progress), (1, transition(1, SagaState::Running, Then::Keep).progress));
    // Its answer was lost: the same again changes nothing.
    log.append(&lease, transition(1, SagaState::Running, Then::Keep)).await.unwrap();
    assert_eq!(log.timeline(&case.id("1")).await.unwrap().len(), 3);
    let over = transition(2, SagaState::Completed, Then::Rest);
    log.append(&lease, over.clone()).await.unwrap();
    log.append(&lease, over).await.unwrap();
    let loaded = log.load(&case.id("1")).await.unwrap().unwrap();
    assert_eq!((loaded.state, loaded.seq, loaded.owner), (SagaState::Completed, 2, None));
    assert!(case.claim("second", HOUR).await.is_empty(), "what rests is not due");
}

pub(crate) async fn what_is_held_is_nobody_elses(log: &dyn SagaLog) {
    let case = Case::new(log);
    let lease = case.start("1", HOUR).await.lease;
    assert!(case.claim("second", HOUR).await.is_empty());
    log.renew(&lease).await.unwrap();
    let claim = Claim { saga: &case.saga, service: "another", limit: 10 };
    assert!(log.claim(claim, &holder("second", HOUR)).await.unwrap().is_empty());
}

pub(crate) async fn a_lease_that_ran_out_is_taken_and_its_holder_is_fenced(log: &dyn SagaLog) {
    let case = Case::new(log);
    let first = case.start("1", Duration::ZERO).await.lease;
    let second = case.claim("second", HOUR).await.remove(0);
    assert_eq!((second.lease.fence, second.instance.owner.as_deref()), (2, Some("second")));
    let late = log.append(&first, transition(1, SagaState::Running, Then::Keep)).await;
    assert!(matches!(late, Err(LogError::LeaseLost)));
    assert!(matches!(log.renew(&first).await, Err(LogError::LeaseLost)));
    assert_eq!(log.load(&case.id("1")).await.unwrap().unwrap().seq, 0);
    log.append(&second.lease, transition(1, SagaState::Running, Then::Keep)).await.unwrap();
}

pub(crate) async fn a_lease_that_ran_out_and_was_not_taken_still_holds(log: &dyn SagaLog) {
    let case = Case::new(log);
    let lease = case.start("1", Duration::ZERO).await.lease;
    log.append(&lease, transition(1, SagaState::Running, Then::Keep)).await.unwrap();
    log.renew(&lease).await.unwrap();
}

pub(crate) async fn what_is_released_is_due_when_it_was_said(log: &dyn SagaLog) {
    let case = Case::new(log);
    for (id, then) in [("now", Then::DueIn(Duration::ZERO)), ("later", Then::DueIn(HOUR)), ("never", Then::Rest)] {
        let lease = case.start(id, HOUR).await.lease;
        log.append(&lease, transition(1, SagaState::Running, then)).await.unwrap();
        assert!(matches!(log.renew(&lease).await, Err(LogError::LeaseLost)), "{id} was released");
        let again = log.append(&lease, transition(2, SagaState::Running, Then::Keep)).await;
        assert!(matches!(again, Err(LogError::LeaseLost)), "{id} was released");
    }
    let ids: Vec<_> = case.claim("second", HOUR).await.into_iter().map(|claimed| claimed.instance.id.id).collect();
    assert_eq!(ids, ["now"]);
}

pub(crate) async fn a_signal_makes_it_due(log: &dyn SagaLog) {
    let case = Case::new(log);
    let lease = case.start("1", HOUR).await.lease;
    assert!(!log.signal(&case.id("2"), "go", json!(1)).await.unwrap(), "there is no such saga");
    log.append(&lease, transition(1, SagaState::Parked, Then::Rest)).await.unwrap();
    assert!(log.signal(&case.id("1"), "go", json!({"by": "Ada"})).await.unwrap());
    let claimed = case.claim("second", HOUR).await.remove(0);
    let signals: Vec<_> = claimed.instance.signals.iter().map(|signal| (signal.number, &*signal.name)).collect();
    assert_eq!(signals, [(1, "go")]);
    assert_eq!(claimed.instance.signals[0].payload, json!({"by": "Ada"}));
    // While it is held a signal is counted, and makes it due when whoever holds it has not seen it.
    log.signal(&case.id("1"), "again", json!(null)).await.unwrap();
    assert_eq!(log.renew(&claimed.lease).await.unwrap(), 2);
    let unseen = Transition { seen: 1, ..transition(2, SagaState::Parked, Then::Rest) };
    assert_eq!(log.append(&claimed.lease, unseen).await.unwrap(), 2);
    let claimed = case.claim("third", HOUR).await.remove(0);
    let seen = Transition { seen: 2, ..transition(3, SagaState::Parked, Then::Rest) };
    log.append(&claimed.lease, seen).await.unwrap();
    assert!(case.claim("fourth", HOUR).await.is_empty());
}

pub(crate) async fn sagas_are_listed_by_what_they_are(log: &dyn SagaLog) {
    let case = Case::new(log);
    for id in ["a", "b", "c"] {
        case.start(id, HOUR).await;
    }
    let lease = case.start("d", HOUR).await.lease;
    log.append(&lease, transition(1, SagaState::Parked, Then::Rest)).await.unwrap();
    let all = SagaFilter { saga: Some(case.saga.clone()), ..SagaFilter::default() };
    let list = async |filter: SagaFilter| {
        let listed = log.list(&filter).await.unwrap();
        listed.into_iter().map(|instance| instance.id.id).collect::<Vec<_>>()
    };
    assert_eq!(list(all.clone()).await, ["d", "c", "b", "a"]);
    assert_eq!(list(SagaFilter { limit: 2, offset: 1, ..all.clone() }).await, ["c", "b"]);
    assert_eq!(list(SagaFilter { states: vec![SagaState::Parked], ..all.clone() }).await, ["d"]);
    assert!(list(SagaFilter { service: Some("another".into()), ..all }).await.is_empty());
    let of_service = SagaFilter { service: Some(case.service.clone()), ..SagaFilter::default() };
    assert_eq!(list(of_service).await.len(), 4);
}

/// Makes each promise a test of one log.
#[macro_export]
macro_rules! saga_log_promises {
    ($log:expr) => {
        $crate::saga_log_promises! { $log =>
            what_is_started_is_there_once,
            a_transition_changes_all_or_nothing,
            what_is_held_is_nobody_elses,
            a_lease_that_ran_out_is_taken_and_its_holder_is_fenced,
            a_lease_that_ran_out_and_was_not_taken_still_holds,
            what_is_released_is_due_when_it_was_said,
            a_signal_makes_it_due,
            sagas_are_listed_by_what_they_are,
        }
    };
    ($log:expr => $($promise:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                $crate::saga_log::$promise(&$log).await;
            }
        )*
    };
}

mod memory {
    saga_log_promises!(kinoko::saga::MemoryLog::new());
}
