//! Sagas in a test: a struct with fakes, run without a container, and run through every failure.

use std::{fmt::Write as _, pin::pin, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    observe::Observer,
    protocol::Value,
    saga::{
        Definition, Engine, Happened, Hosted, Injected, Instance, MemoryLog, Place, Saga, SagaId, SagaRefusal,
        SagaState, StepInfo, StepState, Terms, TimelineEntry, What,
    },
};

/// Hosts a saga whose struct a test built by hand, with fakes, in a log of its own: for a unit test of the saga, or for the field of a
/// service that a test builds by hand.
///
/// # Examples
///
/// ```
/// use kinoko::{prelude::*, saga::SagaError};
///
/// #[derive(Debug, thiserror::Error, ServiceError)]
/// #[error("refused")]
/// struct Refused;
///
/// #[derive(Dependencies)]
/// struct Transfer;
///
/// #[saga(name = "transfer")]
/// impl Transfer {
///     #[step(compensate = give_back)]
///     fn take(&self, amount: &u32) -> u64 {
///         u64::from(*amount)
///     }
///     fn give_back(&self, taken: u64) {}
///     #[step]
///     fn give(&self, amount: &u32) -> Result<String, Refused> {
///         if *amount > 100 { Err(Refused) } else { Ok(format!("{amount} given")) }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let transfer = kinoko::testing::saga(Transfer);
/// assert_eq!(transfer.start("1", 7).await.unwrap().await.unwrap(), "7 given");
/// let error = transfer.start("2", 700).await.unwrap().await.unwrap_err();
/// assert_eq!(error.to_string(), "step `give`: Refused: refused");
/// # }
/// ```
pub fn saga<P: Definition>(steps: P) -> Saga<P> {
    hosted(steps, Arc::new(MemoryLog::new()))
}

fn hosted<P: Definition>(steps: P, log: Arc<MemoryLog>) -> Saga<P> {
    let terms = Terms { lease: Duration::from_secs(60 * 60), ..Terms::default() };
    let engine = Engine::new("test", Arc::new(Hosted(steps)), log, terms, None, Observer::off());
    engine.begin();
    Saga::host(engine)
}

/// Runs a saga through every failure: see [`saga_matrix!`](crate::saga_matrix).
#[must_use = "call `run` and await it"]
#[derive(Debug)]
pub struct SagaMatrix<M, I> {
    make: M,
    input: I,
    signals: Vec<(String, Value)>,
}

impl<P, M, I> SagaMatrix<M, I>
where
    P: Definition,
    M: Fn() -> P,
    I: Fn() -> P::Input,
{
    /// A matrix of runs. Each gets a struct and an input of its own.
    pub fn new(make: M, input: I) -> Self {
        Self { make, input, signals: Vec::new() }
    }

    /// What the steps that wait are sent, in each run.
    ///
    /// # Panics
    ///
    /// When it is not what JSON can hold.
    #[track_caller]
    pub fn signal(mut self, name: &str, payload: impl Serialize) -> Self {
        self.signals.push((name.to_owned(), serde_json::to_value(payload).expect("a signal is JSON")));
        self
    }

    /// Runs all of it, and gives how many runs there were.
    ///
    /// # Panics
    ///
    /// When a run does not end as it must, with what was injected, what is wrong, and the saga's timeline.
    pub async fn run(self) -> usize {
        let steps = P::SAGA.steps;
        let mut runs = 0;
        for case in cases(steps) {
            let log = Arc::new(MemoryLog::new());
            let saga = hosted((self.make)(), log.clone());
            let (instance, timeline) = run(&saga, &log, (self.input)(), &self.signals, &case).await;
            if let Err(why) = check(steps, &instance, &timeline, &case) {
                panic!("{}: {why}\n{}", case.title(steps), tell(&timeline));
            }
            runs += 1;
        }
        runs
    }
}

/// One run.
struct Case {
    plan: Vec<(Place, Injected)>,
    /// Whether the saga must complete, as far as it is up to what is injected; `None`: it goes back.
    completes: bool,
}

impl Case {
    fn title(&self, steps: &[StepInfo]) -> String {
        let mut text = format!("saga_matrix!: with {} failures", self.plan.len());
        for (place, injected) in &self.plan {
            let _ = match place {
                Place::Step(step) => write!(text, ", step `{}` {injected:?}", steps[*step].name),
                Place::Undo(step) => write!(text, ", compensation of `{}` {injected:?}", steps[*step].name),
            };
        }
        text
    }
}

/// Every failure of every step, and of every compensation that a failing step brings about.
fn cases(steps: &[StepInfo]) -> Vec<Case> {
    use Injected::{CrashesAfter, CrashesBefore, Fails, NeverAnswers, TimesOutAfter, TimesOutBefore};
    let pivot = steps.iter().position(|step| step.pivot).unwrap_or(steps.len());
    let mut cases = vec![Case { plan: Vec::new(), completes: true }];
    for (place, step) in steps.iter().enumerate() {
        let mut add = |injected, completes| cases.push(Case { plan: vec![(Place::Step(place), injected)], completes });
        for injected in [TimesOutBefore, TimesOutAfter, CrashesBefore, CrashesAfter] {
            // One attempt is all that such a step has: what is lost then is lost.
            if step.retry.max > 1 {
                add(injected, true);
            }
        }
        if place <= pivot {
            add(Fails, false);
        } else if step.retry.max > 1 {
            add(Fails, true);
        }
        if step.compensation.is_some_and(|compensation| compensation.takes_unknown) {
            add(NeverAnswers, false);
        }
    }
    // Whatever is done before the last step that can fail is taken back.
    let last = pivot.min(steps.len().saturating_sub(1));
    for (place, step) in steps.iter().enumerate().take(last) {
        if step.compensation.is_some() {
            for injected in [TimesOutBefore, TimesOutAfter, CrashesBefore, CrashesAfter] {
                let plan = vec![(Place::Step(last), Fails), (Place::Undo(place), injected)];
                cases.push(Case { plan, completes: false });
            }
        }
    }
    cases
}

async fn run<P: Definition>(
    saga: &Saga<P>,
    log: &MemoryLog,
    input: P::Input,
    signals: &[(String, Value)],
    case: &Case,
) -> (Instance, Vec<TimelineEntry>) {
    const ID: &str = "matrix";
    let engine = saga.engine().clone();
    engine.faults.plan(case.plan.clone());
    let handle = saga.start(ID, input).await.unwrap_or_else(|error| panic!("the saga was not started: {error}"));
    for (name, payload) in signals {
        if let Err(error) = saga.signal(ID, name, payload).await {
            assert!(matches!(error, SagaRefusal::Over { .. }), "signal `{name}`: {error}");
        }
    }
    let mut ended = pin!(handle.at_rest());
    loop {
        tokio::select! {
            biased;
            instance = &mut ended => {
                let instance = instance.unwrap_or_else(|error| panic!("{error}"));
                let status = saga.status(ID).await.ok().flatten();
                let timeline = status.map(|status| status.timeline).unwrap_or_default();
                engine.stop().await;
                return (Instance::clone(&instance), timeline);
            }
            // As another process would, when the lease of the one that ended is over.
            () = engine.faults.crashed.notified() => {
                log.expire(&SagaId::new(P::SAGA.name, ID));
                engine.claim().await;
            }
        }
    }
}

/// What must hold, however it went.
fn check(steps: &[StepInfo], instance: &Instance, timeline: &[TimelineEntry], case: &Case) -> Result<(), String> {
    let wanted = if case.completes { SagaState::Completed } else { SagaState::Compensated };
    // A step that is skipped has no failure injected, and one that fails by itself ends it another way.
    let injected = case.plan.iter().all(|(place, _)| match place {
        Place::Step(step) => instance.progress.steps[*step].state != StepState::Skipped,
        Place::Undo(_) => true,
    });
    let own = timeline.iter().any(|entry| entry.what.what == What::Failed && !is_injected(&entry.what));
    if injected && !own && instance.state != wanted {
        return Err(format!("it is {}, and must be {wanted}", instance.state));
    }
    if !instance.state.is_over() {
        return Err(format!("it is {}, and must be over", instance.state));
    }
    let at = |what: What| {
        timeline.iter().filter(move |entry| entry.what.what == what).filter_map(|entry| entry.what.step.as_deref())
    };
    let done: Vec<&str> = at(What::Done).collect();
    let undone: Vec<&str> = at(What::Undone).collect();
    let mut backwards = undone.clone();
    backwards.reverse();
    let order = |name: &str| steps.iter().position(|step| step.name == name);
    if !backwards.iter().map(|name| order(name)).is_sorted() {
        return Err(format!("compensations ran in the order {undone:?}, and must run backwards"));
    }
    for (step, progress) in steps.iter().zip(&instance.progress.steps) {
        let was_done = done.contains(&step.name);
        let times = undone.iter().filter(|name| **name == step.name).count();
        let wanted =
            instance.state == SagaState::Compensated && step.compensation.is_some() && (was_done || progress.unknown);
        if times != usize::from(wanted) {
            return Err(format!(
                "`{}` was taken back {times} times, and must be {} times",
                step.name,
                usize::from(wanted)
            ));
        }
        if instance.state == SagaState::Compensated && step.pivot && was_done {
            return Err(format!("it went back after its pivot `{}`", step.name));
        }
    }
    Ok(())
}

fn is_injected(what: &Happened) -> bool {
    what.detail.as_deref().is_some_and(|detail| detail.starts_with("Injected"))
}

fn tell(timeline: &[TimelineEntry]) -> String {
    let mut text = String::new();
    for entry in timeline {
        let _ = writeln!(text, "  {:>3} {}", entry.number, entry.what);
    }
    text
}

/// Runs a saga through every failure: each step fails, is not answered before or after it was done, its process ends before or after it
/// was done, or it is never answered; and the same of each compensation, after the last step that can fail did.
///
/// Each run must end, with what was done taken back once and in reverse order, or with all steps done; what happened after the pivot is
/// never taken back. It takes the saga's struct, with fakes, and its input; both are made anew for each run. Nothing waits: leases,
/// delays and timeouts are over at once. For steps that wait for a signal use [`SagaMatrix`](crate::testing::SagaMatrix).
///
/// A future, which gives how many runs there were.
///
/// ```
/// use kinoko::prelude::*;
/// # #[derive(Debug, thiserror::Error, ServiceError)] #[error("refused")] struct Refused;
/// # #[derive(Dependencies)] struct Transfer;
/// # #[saga(name = "transfer")]
/// # impl Transfer {
/// #     #[step(compensate = give_back)] fn take(&self, amount: &u32) -> u64 { u64::from(*amount) }
/// #     fn give_back(&self, taken: u64) {}
/// #     #[step] fn give(&self, amount: &u32) -> Result<String, Refused> { Ok(format!("{amount} given")) }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(kinoko::saga_matrix!(Transfer, 7).await, 15);
/// # }
/// ```
#[macro_export]
macro_rules! saga_matrix {
    ($saga:expr, $input:expr $(,)?) => {
        $crate::testing::SagaMatrix::new(|| $saga, || $input).run()
    };
}
