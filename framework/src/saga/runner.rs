//! One saga, run by whoever holds it: from transition to transition, until there is nothing to do.
//!
//! What is decided here is written before it is acted on, so that another process goes on from the log alone.

use std::{sync::Arc, time::Duration};

use tokio::{
    select,
    time::{Instant, sleep_until},
};

use super::{
    Failure, FailureReason, Happened, Instance, Parked, SagaState, StepProgress, StepState, What,
    definition::{SagaInfo, StepInfo, StepKey, Values},
    engine::{Engine, Here},
    events,
    hold::{Hold, Lost},
    log::{Claimed, Then, Transition, last_number},
    steps::{Attempt, message},
};
use crate::{
    observe::EntrypointKind,
    protocol::{Fault, Message},
};

/// After an event could not be dispatched of a saga that is at rest.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(5);

/// Why a runner stops before there is nothing to do.
#[derive(Debug)]
pub(super) enum Halt {
    /// Somebody else goes on.
    Lost,
    /// This process stops: the lease was released.
    Stopped,
    /// A test wants the process to have ended here.
    #[cfg(feature = "testing")]
    Crashed,
}

impl From<Lost> for Halt {
    fn from(_: Lost) -> Self {
        Self::Lost
    }
}

pub(super) struct Runner {
    pub(super) engine: Arc<Engine>,
    pub(super) info: &'static SagaInfo,
    pub(super) here: Arc<Here>,
    pub(super) hold: Hold,
    pub(super) instance: Instance,
    pub(super) message: Arc<Message>,
    /// When it was started, by this process's clock.
    began: Instant,
    /// Somebody held it before.
    taken_over: bool,
    /// The log's steps are these.
    pub(super) fits: bool,
    /// It is out of hand: nothing may be appended any more.
    pub(super) released: bool,
}

impl Runner {
    pub(super) fn new(engine: Arc<Engine>, claimed: Claimed, here: Arc<Here>, began: Instant) -> Self {
        let Claimed { lease, instance } = claimed;
        let taken_over = lease.fence > 1;
        let signals = last_number(&instance.signals);
        let started = Instant::now().checked_sub(instance.age).unwrap_or_else(Instant::now);
        let info = engine.steps.info();
        let same = instance.version == info.version && instance.steps == info.fingerprint();
        Self {
            info,
            fits: same || instance.state.is_over(),
            message: message(&instance.context),
            hold: Hold::new(engine.log.clone(), lease, here.clone(), began, signals),
            began: started,
            engine,
            here,
            instance,
            taken_over,
            released: false,
        }
    }

    /// Runs it until it rests or waits, and gives how it stands then.
    pub(super) async fn run(mut self) -> Result<Instance, Halt> {
        if !self.fits {
            self.park_misfit().await?;
        } else if self.taken_over {
            self.take_over().await?;
        }
        while !self.released {
            self.read_mail().await?;
            self.announce().await?;
            match self.instance.state {
                _ if self.released => {}
                SagaState::Running => self.forward().await?,
                SagaState::Compensating => self.backward().await?,
                SagaState::Parked | SagaState::Completed | SagaState::Compensated => self.commit(Vec::new()).await?,
            }
        }
        Ok(self.instance)
    }

    /// Another definition must never run it.
    async fn park_misfit(&mut self) -> Result<(), Halt> {
        let reason = format!(
            "it was begun with other steps: version {} ({}), and this program has version {} ({}); retry it in a program that has \
             its steps",
            self.instance.version,
            self.instance.steps,
            self.info.version,
            self.info.fingerprint()
        );
        let compensating = self.is_going_back();
        let parked = Parked { step: None, compensating, reason };
        let mut happened = Vec::new();
        if let Some(step) = self.current()
            && self.step(step).state == StepState::Running
        {
            // Whoever goes on with it must know that this one may have happened.
            self.step(step).unknown = true;
        }
        if self.instance.progress.parked.as_ref() != Some(&parked) {
            self.park(parked, &mut happened);
        }
        // What is asked of it cannot be done here, and is not to be done by surprise later.
        for (number, _) in self.commands() {
            self.instance.progress.taken.push(number);
        }
        self.commit(happened).await
    }

    pub(super) fn is_going_back(&self) -> bool {
        self.instance.progress.failure.is_some()
    }

    /// How old the saga is.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn step(&mut self, step: usize) -> &mut StepProgress {
        &mut self.instance.progress.steps[step]
    }

    pub(super) fn info_of(&self, step: usize) -> &'static StepInfo {
        &self.info.steps[step]
    }

    /// Whether there is no going back any more.
    pub(super) fn past_pivot(&self) -> bool {
        let steps = self.info.steps.iter().zip(&self.instance.progress.steps);
        steps.into_iter().any(|(info, step)| info.pivot && matches!(step.state, StepState::Done | StepState::Skipped))
    }

    /// The first step that is not done.
    pub(super) fn current(&self) -> Option<usize> {
        let over = |step: &StepProgress| matches!(step.state, StepState::Done | StepState::Skipped);
        self.instance.progress.steps.iter().position(|step| !over(step))
    }

    pub(super) fn key(&self, step: usize) -> StepKey {
        StepKey::new(self.info.name, &self.instance.id.id, self.info.steps[step].name)
    }

    pub(super) fn attempt(&self, method: &'static str, key: StepKey, number: u32, timeout: Duration) -> Attempt {
        Attempt {
            service: self.engine.service,
            method,
            key,
            number,
            deadline: deadline(timeout),
            message: self.message.clone(),
            seen: self.engine.observer.entrypoint(self.engine.service, method, EntrypointKind::Saga, None),
        }
    }

    /// Another process ran it before: what it had begun may have happened.
    async fn take_over(&mut self) -> Result<(), Halt> {
        let fence = self.hold.fence();
        let mut happened = Vec::new();
        match self.instance.state {
            SagaState::Running => {
                let Some(step) = self.current() else { return Ok(()) };
                if self.step(step).state != StepState::Running {
                    return Ok(());
                }
                happened.push(Happened::new(What::TakenOver).because(format!("fence {fence}")));
                self.not_answered(step, "the process that ran it ended", &mut happened);
            }
            SagaState::Compensating => {
                let Some(step) = self.compensating() else { return Ok(()) };
                if self.step(step).compensations == 0 {
                    return Ok(());
                }
                happened.push(Happened::new(What::TakenOver).because(format!("fence {fence}")));
                self.undo_failed(step, "the process that ran it ended", &mut happened);
            }
            _ => return Ok(()),
        }
        self.commit(happened).await
    }

    /// It stands from now on.
    pub(super) fn park(&mut self, parked: Parked, happened: &mut Vec<Happened>) {
        let saga = tracing::field::display(&self.instance.id);
        tracing::error!(%saga, step = parked.step, reason = parked.reason, "a saga is parked: it stands until somebody retries it");
        happened.push(Happened {
            step: parked.step.clone(),
            detail: Some(parked.reason.clone()),
            ..Happened::new(What::Parked)
        });
        self.instance.progress.parked = Some(parked);
        self.ends(SagaState::Parked);
    }

    /// It is over, or stands.
    pub(super) fn ends(&mut self, state: SagaState) {
        self.instance.state = state;
        if self.engine.events.is_some()
            && let Some(name) = events::name(state)
        {
            self.instance.progress.unannounced.push(name.to_owned());
        }
    }

    /// Goes back from a step that may be left.
    pub(super) fn go_back(&mut self, step: usize, reason: FailureReason, fault: Fault, happened: &mut Vec<Happened>) {
        let name = self.info_of(step).name;
        let left = self.step(step);
        left.state = match left.state {
            _ if left.unknown => StepState::Unknown,
            StepState::Running if left.attempts > 0 && reason == FailureReason::Failed => StepState::Failed,
            _ => StepState::Pending,
        };
        happened.push(Happened::to(What::GoesBack, name).because(fault.to_string()));
        self.instance.progress.failure = Some(Failure { reason, step: Some(name.to_owned()), fault });
        self.next_compensation(happened);
    }

    /// Begins the next compensation, the last step's first; or the saga is over.
    pub(super) fn next_compensation(&mut self, happened: &mut Vec<Happened>) {
        match self.compensating() {
            Some(step) => {
                self.instance.state = SagaState::Compensating;
                let progress = self.step(step);
                progress.state = StepState::Compensating;
                progress.compensations = 1;
                happened.push(Happened::to(What::Compensating, self.info_of(step).name));
            }
            None => {
                self.ends(SagaState::Compensated);
                happened.push(Happened::new(What::Compensated));
            }
        }
    }

    /// The step whose compensation comes next, or runs.
    pub(super) fn compensating(&self) -> Option<usize> {
        let steps = self.info.steps.iter().zip(&self.instance.progress.steps);
        steps.into_iter().rposition(|(info, step)| info.compensation.is_some() && step.may_have_happened())
    }

    /// Writes what was decided, and gives the saga out of hand where there is nothing to do for now.
    pub(super) async fn commit(&mut self, happened: Vec<Happened>) -> Result<(), Halt> {
        let then = match self.instance.state {
            SagaState::Running => match self.waits() {
                Some(left) => Then::DueIn(left),
                None => Then::Keep,
            },
            SagaState::Compensating => Then::Keep,
            _ if self.instance.progress.unannounced.is_empty() => Then::Rest,
            _ => Then::Keep,
        };
        self.append(happened, then).await
    }

    async fn append(&mut self, happened: Vec<Happened>, then: Then) -> Result<(), Halt> {
        let seen = last_number(&self.instance.signals);
        let transition = Transition {
            seq: self.instance.seq + 1,
            state: self.instance.state,
            progress: self.instance.progress.clone(),
            happened,
            seen,
            then,
        };
        self.hold.append(&transition).await?;
        self.instance.seq = transition.seq;
        self.released = then != Then::Keep;
        if self.released && self.hold.signals > seen {
            self.engine.look.notify_one();
        }
        Ok(())
    }

    /// Waits, unless somebody asks for something else meanwhile.
    pub(super) async fn pause(&mut self, time: Duration) -> Result<(), Halt> {
        enum Woken {
            Over,
            News,
            Stop,
        }
        let until = deadline(time);
        loop {
            let (here, stop) = (self.here.clone(), self.engine.stop.clone());
            let wait = async {
                select! {
                    biased;
                    () = stop.cancelled() => Woken::Stop,
                    () = here.news.notified() => Woken::News,
                    () = sleep_until(until) => Woken::Over,
                }
            };
            match self.hold.renewing(wait).await? {
                Woken::Over => return Ok(()),
                Woken::Stop => return Err(self.stop_now().await),
                Woken::News => {
                    let seq = self.instance.seq;
                    self.read_mail().await?;
                    if self.instance.seq != seq {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// This process stops: somebody else may go on at once. What is begun and not run is as if it had not been.
    pub(super) async fn stop_now(&mut self) -> Halt {
        match (self.instance.state, self.current(), self.compensating()) {
            (SagaState::Running, Some(step), _) => {
                let step = self.step(step);
                if step.state == StepState::Running {
                    step.state = StepState::Pending;
                    step.attempts = step.attempts.saturating_sub(1);
                }
            }
            (SagaState::Compensating, _, Some(step)) => {
                let step = self.step(step);
                step.compensations = step.compensations.saturating_sub(1);
            }
            _ => {}
        }
        match self.append(Vec::new(), Then::DueIn(Duration::ZERO)).await {
            Ok(()) => Halt::Stopped,
            Err(halt) => halt,
        }
    }

    /// Dispatches the lifecycle events that are due. One that cannot be sent is sent with the next transition, or after a while.
    async fn announce(&mut self) -> Result<(), Halt> {
        let Some(events) = self.engine.events.clone() else { return Ok(()) };
        while let Some(name) = self.instance.progress.unannounced.first().cloned() {
            let sent = self.hold.renewing(events.send(&name, &self.instance)).await?;
            if let Err(error) = sent {
                tracing::warn!(saga = %self.instance.id, event = name, %error, "a saga's event was not dispatched");
                if self.instance.state.is_over() || self.instance.state == SagaState::Parked {
                    self.pause(ANNOUNCE_AGAIN).await?;
                    continue;
                }
                return Ok(());
            }
            self.instance.progress.unannounced.remove(0);
        }
        Ok(())
    }
}

/// After this time; what is beyond the end of time is a year away.
fn deadline(time: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + time.min(LONGEST)
}

/// What a step, or its compensation, can take.
pub(super) fn values<'a>(instance: &'a Instance, step: usize, key: &'a StepKey) -> Values<'a> {
    let steps = &instance.progress.steps;
    let number = steps[step].signal;
    let signal = instance.signals.iter().find(|signal| Some(signal.number) == number);
    Values { input: &instance.input, steps, signal: signal.map(|signal| &signal.payload), key }
}
