//! The promises of `kinoko::saga::SagaLog`, each written once. No lease is waited for: one that is over at once takes the place of one that
//! ran out.

use std::time::Duration;

use futures_util::StreamExt;
use kinoko::saga::{
    Claim, Claimed, Happened, Holder, LogError, NewSaga, News, Progress, SagaFilter, SagaId, SagaLog, SagaState,
    Started, StepProgress, StepState, Then, Transition, What,
};
use kinoko::{sql::SqlLog, testing::TestDatabase};
use kinoko_tests::{postgres_url, soon, unique};
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

async fn what_is_started_is_there_once(log: &dyn SagaLog) {
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

async fn a_transition_changes_all_or_nothing(log: &dyn SagaLog) {
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

async fn what_is_held_is_nobody_elses(log: &dyn SagaLog) {
    let case = Case::new(log);
    let lease = case.start("1", HOUR).await.lease;
    assert!(case.claim("second", HOUR).await.is_empty());
    log.renew(&lease).await.unwrap();
    let claim = Claim { saga: &case.saga, service: "another", limit: 10 };
    assert!(log.claim(claim, &holder("second", HOUR)).await.unwrap().is_empty());
}

async fn a_lease_that_ran_out_is_taken_and_its_holder_is_fenced(log: &dyn SagaLog) {
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

async fn a_lease_that_ran_out_and_was_not_taken_still_holds(log: &dyn SagaLog) {
    let case = Case::new(log);
    let lease = case.start("1", Duration::ZERO).await.lease;
    log.append(&lease, transition(1, SagaState::Running, Then::Keep)).await.unwrap();
    log.renew(&lease).await.unwrap();
}

async fn what_is_released_is_due_when_it_was_said(log: &dyn SagaLog) {
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

async fn a_signal_makes_it_due(log: &dyn SagaLog) {
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

async fn many_are_changed_at_the_same_time(log: &dyn SagaLog) {
    let case = Case::new(log);
    let run = async |number: u32| {
        let lease = case.start(&number.to_string(), HOUR).await.lease;
        for seq in 1..=3 {
            log.append(&lease, transition(seq, SagaState::Running, Then::Keep)).await.unwrap();
            log.renew(&lease).await.unwrap();
        }
        log.append(&lease, transition(4, SagaState::Completed, Then::Rest)).await.unwrap();
    };
    futures_util::future::join_all((0..50).map(run)).await;
    let all = SagaFilter { saga: Some(case.saga.clone()), ..SagaFilter::default() };
    let over = log.list(&all).await.unwrap();
    assert_eq!(over.len(), 50);
    assert!(over.iter().all(|saga| (saga.seq, saga.state) == (4, SagaState::Completed)));
    assert_eq!(log.timeline(&case.id("17")).await.unwrap().len(), 6);
}

async fn sagas_are_listed_by_what_they_are(log: &dyn SagaLog) {
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

async fn what_is_over_long_enough_is_forgotten_and_nothing_else(log: &dyn SagaLog) {
    let case = Case::new(log);
    let rest = async |id: &str, state: SagaState, then: Then| {
        let lease = case.start(id, HOUR).await.lease;
        log.append(&lease, transition(1, state, then)).await.unwrap();
    };
    rest("completed", SagaState::Completed, Then::Rest).await;
    rest("compensated", SagaState::Compensated, Then::Rest).await;
    rest("parked", SagaState::Parked, Then::Rest).await;
    rest("running", SagaState::Running, Then::Keep).await;
    rest("waits", SagaState::Running, Then::DueIn(HOUR)).await;
    // It has an event to dispatch yet.
    rest("tells", SagaState::Completed, Then::Keep).await;
    // Nobody has looked at what it was sent.
    rest("asked", SagaState::Compensated, Then::Rest).await;
    log.signal(&case.id("asked"), "late", json!(null)).await.unwrap();
    // One that took its signal.
    let lease = case.start("signalled", HOUR).await.lease;
    log.signal(&case.id("signalled"), "go", json!(1)).await.unwrap();
    log.append(&lease, Transition { seen: 1, ..transition(1, SagaState::Completed, Then::Rest) }).await.unwrap();

    let of = Claim { saga: &case.saga, service: &case.service, limit: 2 };
    let forget = async |of, rested| log.forget(of, rested).await.unwrap();
    assert_eq!(forget(of, HOUR).await, 0, "they have rested for a moment");
    assert_eq!(forget(Claim { service: "another", ..of }, Duration::ZERO).await, 0);
    assert_eq!(forget(Claim { saga: "another", ..of }, Duration::ZERO).await, 0);
    assert_eq!(forget(of, Duration::ZERO).await, 2, "so many at most");
    assert_eq!(forget(of, Duration::ZERO).await, 1);
    assert_eq!(forget(of, Duration::ZERO).await, 0);
    let all = SagaFilter { saga: Some(case.saga.clone()), ..SagaFilter::default() };
    let left: Vec<_> = log.list(&all).await.unwrap().into_iter().map(|saga| saga.id.id).collect();
    assert_eq!(left, ["asked", "tells", "waits", "running", "parked"]);
    for id in ["completed", "compensated", "signalled"] {
        assert!(log.load(&case.id(id)).await.unwrap().is_none(), "{id}");
        assert!(log.timeline(&case.id(id)).await.unwrap().is_empty(), "{id}");
        assert!(!log.signal(&case.id(id), "go", json!(null)).await.unwrap(), "{id}");
    }
    // Its id is free.
    let again = case.start("signalled", HOUR).await;
    assert_eq!((again.lease.fence, again.instance.seq, again.instance.signals.len()), (1, 0, 0));
    assert_eq!(log.load(&case.id("signalled")).await.unwrap().unwrap().signals, []);
    assert_eq!(log.timeline(&case.id("signalled")).await.unwrap().len(), 2);
}

/// Makes each promise a test of each log.
macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $promise() {
                    super::$promise(&kinoko::saga::MemoryLog::new()).await;
                }
            )*
        }

        mod sqlite {
            $(
                #[tokio::test]
                async fn $promise() {
                    super::in_database(super::TestDatabase::sqlite().await.unwrap(), async |log| super::$promise(log).await).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test]
                #[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
                async fn $promise() {
                    super::in_database(super::postgres().await, async |log| super::$promise(log).await).await;
                }
            )*
        }
    };
}

promises! {
    what_is_started_is_there_once,
    a_transition_changes_all_or_nothing,
    what_is_held_is_nobody_elses,
    a_lease_that_ran_out_is_taken_and_its_holder_is_fenced,
    a_lease_that_ran_out_and_was_not_taken_still_holds,
    what_is_released_is_due_when_it_was_said,
    a_signal_makes_it_due,
    sagas_are_listed_by_what_they_are,
    many_are_changed_at_the_same_time,
    what_is_over_long_enough_is_forgotten_and_nothing_else,
}

async fn postgres() -> TestDatabase {
    TestDatabase::postgres(&postgres_url()).await.unwrap()
}

async fn in_database(database: TestDatabase, promise: impl AsyncFnOnce(&dyn SagaLog)) {
    let log = SqlLog::new(database.database().await.unwrap()).await.unwrap();
    promise(&log).await;
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn what_the_database_does_not_take_keeps_no_others_from_going_on() {
    let database = postgres().await;
    let log = SqlLog::new(database.database().await.unwrap()).await.unwrap();
    let case = Case::new(&log);
    // PostgreSQL has no form for this character.
    let (first, holder) = (holder("first", HOUR), holder("second", HOUR));
    let starts = ["a", "b\0", "c"].map(|id| log.start(case.saga(id), &first));
    let started = futures_util::future::join_all(starts).await;
    assert_eq!(started.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert!(matches!(log.start(case.saga("c"), &holder).await.unwrap(), Started::Exists(_)));
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn what_others_did_is_news_and_what_one_did_oneself_is_not() {
    let database = postgres().await;
    let open = async || SqlLog::new(database.database().await.unwrap()).await.unwrap();
    let (one, other) = (open().await, open().await);
    let case = Case::new(&one);
    let lease = case.start("a b", HOUR).await.lease;
    case.start("c", HOUR).await;
    let mut news = one.news();
    let mut next = async || soon("news", news.next()).await.unwrap();
    assert_eq!(next().await, News::Any, "what was told before is missed");
    one.signal(&case.id("c"), "go", json!(1)).await.unwrap();
    other.signal(&case.id("a b"), "go", json!(1)).await.unwrap();
    assert_eq!(next().await, News::Of(case.id("a b")));
    // It is given out of hand by one that stops, and by one that waits for something.
    other.append(&lease, transition(1, SagaState::Running, Then::DueIn(HOUR))).await.unwrap();
    let claim = Claim { saga: &case.saga, service: &case.service, limit: 10 };
    let claimed = other.claim(claim, &holder("second", HOUR)).await.unwrap().remove(0);
    other.append(&claimed.lease, transition(2, SagaState::Running, Then::DueIn(Duration::ZERO))).await.unwrap();
    assert_eq!(next().await, News::Of(case.id("a b")));
    other.signal(&case.id("c"), "go", json!(1)).await.unwrap();
    assert_eq!(next().await, News::Of(case.id("c")));
}
