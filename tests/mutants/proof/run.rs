//! Runs of random steps, done by a breaker and by the model, which have to look alike after each.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use fastrand::Rng;
use tokio::time::{self, Instant};

use crate::{
    model::Model,
    settings::{Settings, Window, pick},
    subject::{Forced, Subject},
};

/// What a search came to.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) steps: u64,
    pub(crate) runs: u64,
    /// How often a breaker opened in them.
    pub(crate) opened: u64,
    pub(crate) violation: Option<Violation>,
}

/// The first step after which a breaker and the model did not look alike.
#[derive(Debug)]
pub(crate) struct Violation {
    /// Of this run alone.
    seed: u64,
    settings: Settings,
    last_steps: VecDeque<Step>,
    text: String,
}

#[derive(Debug, Clone)]
enum Step {
    Enter,
    End {
        number: usize,
        failed: bool,
    },
    /// Without a word.
    Drop {
        number: usize,
    },
    Panic {
        number: usize,
    },
    Advance(Duration),
    Force(Option<Forced>),
    Configure(Settings),
    Count,
}

const KEPT_STEPS: usize = 20;

/// Runs of settings and steps of their own, until so many steps are done or one is wrong. The run after that of a seed has the next seed.
pub(crate) fn search<S: Subject>(seed: u64, steps: u64) -> Search {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let mut done = Search { steps: 0, runs: 0, opened: 0, violation: None };
    while done.steps < steps && done.violation.is_none() {
        let seed = seed.wrapping_add(done.runs);
        done.violation = runtime.block_on(run::<S>(seed, &mut done)).err();
        done.runs += 1;
    }
    done
}

async fn run<S: Subject>(seed: u64, done: &mut Search) -> Result<(), Violation> {
    let mut rng = Rng::with_seed(seed);
    let settings = Settings::any(&mut rng);
    let mut sides = Sides {
        breaker: S::begin(&settings),
        model: Model::new(settings.clone(), Instant::now()),
        trials: Vec::new(),
        begun: 0,
    };
    let chances = Chances::any(&mut rng);
    let mut last_steps = VecDeque::with_capacity(KEPT_STEPS);
    for _ in 0..rng.u16(20..400) {
        let step = chances.step(&mut rng, &sides);
        if last_steps.len() == KEPT_STEPS {
            last_steps.pop_front();
        }
        last_steps.push_back(step.clone());
        done.steps += 1;
        if let Step::Advance(by) = step {
            time::advance(by).await;
        }
        // What panics is as wrong as what says something else.
        let alike = catch_unwind(AssertUnwindSafe(|| sides.take(step)));
        if let Err(text) = alike.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            return Err(Violation { seed, settings, last_steps, text });
        }
    }
    done.opened += sides.model.counted(Instant::now()).opened;
    Ok(())
}

/// How likely what is in one run.
struct Chances {
    most_under_way: usize,
    /// Of 100 calls that end.
    failed: u8,
    /// Of 100 steps that are none of a call.
    time: u8,
}

impl Chances {
    fn any(rng: &mut Rng) -> Self {
        Self {
            most_under_way: *pick(rng, &[1, 2, 4, 12]),
            failed: *pick(rng, &[0, 10, 30, 50, 70]),
            time: *pick(rng, &[5, 20, 40]),
        }
    }

    fn step<S: Subject>(&self, rng: &mut Rng, sides: &Sides<S>) -> Step {
        match rng.u8(..100) {
            0 => Step::Force(*pick(rng, &[None, None, Some(Forced::Open), Some(Forced::Closed)])),
            1 => Step::Configure(sides.model.settings.varied(rng)),
            2..10 => Step::Count,
            other if other < 10 + self.time => Step::Advance(sides.time(rng)),
            _ if sides.trials.is_empty() => Step::Enter,
            _ if sides.trials.len() < self.most_under_way && rng.u8(..5) < 3 => Step::Enter,
            _ => {
                let number = pick(rng, &sides.trials).0;
                match rng.u8(..32) {
                    0 => Step::Panic { number },
                    1..5 => Step::Drop { number },
                    _ => Step::End { number, failed: rng.u8(..100) < self.failed },
                }
            }
        }
    }
}

/// A breaker and the model, with the calls that are under way.
struct Sides<S: Subject> {
    breaker: S,
    model: Model,
    trials: Vec<(usize, S::Trial)>,
    begun: usize,
}

impl<S: Subject> Sides<S> {
    /// Some time, or exactly so long that something changes.
    fn time(&self, rng: &mut Rng) -> Duration {
        let now = Instant::now();
        let Settings { open_for, window, .. } = self.model.settings;
        let window = if let Window::Time(time) = window { time } else { open_for };
        match rng.u8(..8) {
            0 => self.model.open_for(now),
            1 if !self.trials.is_empty() => self.model.slow_in(pick(rng, &self.trials).0, now),
            2 => window / 10,
            3 => window.mul_f64(rng.f64() * 2.0),
            4 => open_for.mul_f64(rng.f64() * 2.0),
            5 => Duration::from_nanos(rng.u64(..3)),
            _ => (window / 10).mul_f64(rng.f64()),
        }
    }

    /// Does a step on both sides and says in what they differ then.
    fn take(&mut self, step: Step) -> Result<(), String> {
        let now = Instant::now();
        match step {
            Step::Advance(_) => {}
            Step::Enter => {
                self.begun += 1;
                let entered = self.breaker.let_in(now);
                alike(
                    "let through",
                    entered.as_ref().map(|_| ()).map_err(|after| *after),
                    self.model.enter(self.begun, now),
                )?;
                self.trials.extend(entered.ok().map(|trial| (self.begun, trial)));
            }
            Step::End { number, failed } => {
                S::is_over(self.trial(number), failed);
                self.model.end(number, failed, now);
            }
            Step::Drop { number } => {
                drop(self.trial(number));
                self.model.cancel(number);
            }
            Step::Panic { number } => {
                let trial = self.trial(number);
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    let _trial = trial;
                    // Without the hook that would print it.
                    resume_unwind(Box::new(()));
                }));
                self.model.cancel(number);
            }
            Step::Force(forced) => {
                self.breaker.be_forced(forced);
                self.model.force(forced, now);
            }
            Step::Configure(settings) => {
                self.breaker.take(&settings);
                self.model.configure(settings, now);
            }
            Step::Count => alike("counted", self.breaker.counted(), self.model.counted(now))?,
        }
        alike("state", self.breaker.looks(), self.model.looks())
    }

    fn trial(&mut self, number: usize) -> S::Trial {
        let at = self.trials.iter().position(|trial| trial.0 == number).expect("it is under way");
        self.trials.swap_remove(at).1
    }
}

fn alike<T: PartialEq + fmt::Debug>(what: &str, breaker: T, model: T) -> Result<(), String> {
    if breaker == model { Ok(()) } else { Err(format!("{what}: {breaker:?}, and the docs say {model:?}")) }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, settings, last_steps, text } = self;
        writeln!(f, "{text}\nseed {seed}, {settings:?}\nthe last steps:")?;
        last_steps.iter().try_for_each(|step| writeln!(f, "  {step:?}"))
    }
}
