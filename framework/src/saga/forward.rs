//! Forward: one step after the other, each begun in the log before it is run.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::{
    FailureReason, Happened, Parked, StepState, What,
    definition::{Misfit, Ran, StepKey},
    runner::{Halt, Runner, values},
};
use crate::protocol::{Certainty, Fault};

impl Runner {
    /// Does what is next: begins a step, looks for its signal, or runs it.
    pub(super) async fn forward(&mut self) -> Result<(), Halt> {
        let state = self.current().map(|step| (step, self.instance.progress.steps[step].state));
        match state {
            Some((step, StepState::Running)) => self.run_step(step).await,
            Some((step, StepState::Waiting)) => self.look_for_signal(step).await,
            Some(_) if self.engine.stop.is_cancelled() => Err(self.stop_now().await),
            _ => {
                let mut happened = Vec::new();
                self.advance(&mut happened);
                self.commit(happened).await
            }
        }
    }

    /// Begins the step that is next; or the saga is completed.
    fn advance(&mut self, happened: &mut Vec<Happened>) {
        while let Some(step) = self.current() {
            let info = self.info_of(step);
            match self.wanted(step) {
                Ok(true) => {}
                Ok(false) => {
                    self.step(step).state = StepState::Skipped;
                    happened.push(Happened::to(What::Skipped, info.name));
                    continue;
                }
                Err(Misfit(why)) => {
                    let reason = format!("whether it is to be run cannot be told: {why}");
                    return self.park_at(step, reason, happened);
                }
            }
            if let Some(wait) = info.wait
                && self.instance.progress.steps[step].signal.is_none()
            {
                let until = self.age().saturating_add(wait.timeout);
                let until = match self.info.timeout {
                    Some(timeout) if !self.past_pivot() => until.min(timeout),
                    _ => until,
                };
                let progress = self.step(step);
                progress.state = StepState::Waiting;
                progress.waits_until = Some(until);
                happened.push(Happened::to(What::Waits, info.name).because(format!("signal `{}`", wait.signal)));
                self.take_signal(step, happened);
                return;
            }
            return self.begin(step, happened);
        }
        self.ends(super::SagaState::Completed);
        happened.push(Happened::new(What::Completed));
    }

    fn begin(&mut self, step: usize, happened: &mut Vec<Happened>) {
        let progress = self.step(step);
        progress.state = StepState::Running;
        progress.attempts += 1;
        let attempt = progress.attempts;
        happened.push(Happened::to(What::Begun, self.info_of(step).name).attempt(attempt));
    }

    /// What the step's `when` says. It is asked once: of a step that may have happened nobody asks any more whether it should.
    fn wanted(&self, step: usize) -> Result<bool, Misfit> {
        let progress = &self.instance.progress.steps[step];
        if !self.info_of(step).conditional || progress.attempts > 0 || progress.unknown || progress.signal.is_some() {
            return Ok(true);
        }
        let key = self.key(step);
        let asked =
            catch_unwind(AssertUnwindSafe(|| self.engine.steps.condition(step, &values(&self.instance, step, &key))));
        asked.unwrap_or_else(|panic| Err(Misfit(Fault::panic(&*panic).to_string())))
    }

    /// How long the current step waits for its signal, if it does.
    pub(super) fn waits(&self) -> Option<Duration> {
        let step = &self.instance.progress.steps[self.current()?];
        let until = step.waits_until.filter(|_| step.state == StepState::Waiting)?;
        Some(until.saturating_sub(self.age()))
    }

    /// Takes the first signal of its name that no step has taken. Gives whether there is one.
    fn take_signal(&mut self, step: usize, happened: &mut Vec<Happened>) -> bool {
        let info = self.info_of(step);
        let taken = &self.instance.progress.taken;
        let wanted = info.wait.and_then(|wait| {
            let mut signals = self.instance.signals.iter();
            signals.find(|signal| signal.name == wait.signal && !taken.contains(&signal.number))
        });
        let Some(number) = wanted.map(|signal| signal.number) else { return false };
        self.instance.progress.taken.push(number);
        let progress = self.step(step);
        progress.signal = Some(number);
        progress.waits_until = None;
        happened.push(Happened::to(What::Signalled, info.name));
        self.begin(step, happened);
        true
    }

    async fn look_for_signal(&mut self, step: usize) -> Result<(), Halt> {
        let mut happened = Vec::new();
        if !self.take_signal(step, &mut happened) && self.waits().is_some_and(|left| left.is_zero()) {
            let info = self.info_of(step);
            let (signal, time) = info.wait.map(|wait| (wait.signal, wait.timeout)).unwrap_or_default();
            happened.push(Happened::to(What::TimedOut, info.name));
            if self.past_pivot() {
                let reason = format!("no signal `{signal}` came within {time:?}");
                self.park_at(step, reason, &mut happened);
            } else {
                let fault = timed_out(format!("no signal `{signal}` came in time"));
                self.go_back(step, FailureReason::TimedOut, fault, &mut happened);
            }
        }
        self.commit(happened).await
    }

    async fn run_step(&mut self, step: usize) -> Result<(), Halt> {
        let info = self.info_of(step);
        let mut happened = Vec::new();
        let left = match self.info.timeout {
            Some(timeout) if !self.past_pivot() => Some(timeout.saturating_sub(self.age())),
            _ => None,
        };
        if left.is_some_and(|left| left.is_zero()) && self.may_leave(step) {
            happened.push(Happened::new(What::TimedOut));
            let fault = timed_out(format!("it took longer than {:?}", self.info.timeout.unwrap_or_default()));
            self.go_back(step, FailureReason::TimedOut, fault, &mut happened);
            return self.commit(happened).await;
        }
        if self.engine.stop.is_cancelled() {
            return Err(self.stop_now().await);
        }
        let key = self.key(step);
        // A step that cannot be left is tried to its end, also after the saga's.
        let timeout = left.filter(|left| !left.is_zero()).map_or(info.timeout, |left| left.min(info.timeout));
        let number = self.instance.progress.steps[step].attempts;
        let ran = self.attempt_step(step, &key, number, timeout).await?;
        let name = info.name;
        let told = |what| Happened::to(what, name).attempt(number);
        match ran {
            Ran::Done(output) => {
                let progress = self.step(step);
                progress.state = StepState::Done;
                progress.output = Some(output);
                progress.unknown = false;
                progress.error = None;
                happened.push(told(What::Done));
                self.advance(&mut happened);
                self.commit(happened).await
            }
            Ran::Misfit(Misfit(why)) => {
                // Whether it was run is for whoever looks at it.
                self.step(step).unknown = true;
                self.park_at(step, why, &mut happened);
                self.commit(happened).await
            }
            Ran::Failed { certainty, fault } => {
                let text = fault.to_string();
                self.step(step).error = Some(text.clone());
                let (what, again) = match certainty {
                    Certainty::Refused => {
                        self.step(step).unknown = false;
                        (What::Failed, fault.retryable == Some(true))
                    }
                    Certainty::NotSent => (What::NotSent, fault.retryable != Some(false)),
                    Certainty::Unknown => {
                        self.step(step).unknown = true;
                        (What::Unknown, true)
                    }
                };
                happened.push(told(what).because(text));
                self.failed(step, again, *fault, happened).await
            }
        }
    }

    /// Runs one attempt, and renews the lease meanwhile.
    async fn attempt_step(&mut self, step: usize, key: &StepKey, number: u32, timeout: Duration) -> Result<Ran, Halt> {
        #[cfg(feature = "testing")]
        if let Some(ran) = self.engine.faults.before_step(step)? {
            return Ok(ran);
        }
        let attempt = self.attempt(self.info_of(step).name, key.clone(), number, timeout);
        let steps = self.engine.steps.clone();
        let values = values(&self.instance, step, key);
        let kill = self.engine.kill.clone();
        let running = async {
            tokio::select! {
                ran = steps.run(step, &values, attempt) => Some(ran),
                () = kill.cancelled() => None,
            }
        };
        // Its lease runs out, and whoever takes it over knows that it may have happened.
        let ran = self.hold.renewing(running).await?.ok_or(Halt::Stopped)?;
        #[cfg(feature = "testing")]
        let ran = self.engine.faults.after_step(step, ran)?;
        Ok(ran)
    }

    /// Decides what comes after a failed attempt, and writes it.
    async fn failed(
        &mut self,
        step: usize,
        again: bool,
        fault: Fault,
        mut happened: Vec<Happened>,
    ) -> Result<(), Halt> {
        let delay = self.after_failure(step, again, fault, &mut happened);
        self.commit(happened).await?;
        match delay {
            Some(delay) => self.pause(delay).await,
            None => Ok(()),
        }
    }

    /// Another attempt after some time, or none: the saga goes back or is parked.
    fn after_failure(
        &mut self,
        step: usize,
        again: bool,
        fault: Fault,
        happened: &mut Vec<Happened>,
    ) -> Option<Duration> {
        let retry = self.info_of(step).retry;
        let attempts = self.instance.progress.steps[step].attempts;
        // After the pivot nothing is left but to repeat.
        let again = again || self.past_pivot();
        if again && attempts < retry.max {
            self.step(step).attempts += 1;
            return Some(self.engine.delay(&retry, attempts));
        }
        let tried = if attempts == 1 { "one attempt".to_owned() } else { format!("{attempts} attempts") };
        if self.past_pivot() {
            self.park_at(step, format!("it failed, after {tried}: {fault}"), happened);
        } else if self.may_leave(step) {
            self.go_back(step, FailureReason::Failed, fault, happened);
        } else {
            let reason = format!("whether it happened is not known, after {tried}: {fault}");
            self.park_at(step, reason, happened);
        }
        None
    }

    /// An attempt that nobody heard the end of.
    pub(super) fn not_answered(&mut self, step: usize, why: &'static str, happened: &mut Vec<Happened>) {
        let progress = self.step(step);
        progress.unknown = true;
        progress.error = Some(why.to_owned());
        let attempt = progress.attempts;
        happened.push(Happened::to(What::Unknown, self.info_of(step).name).attempt(attempt).because(why));
        // Begun again at once: the time since then was delay enough.
        self.after_failure(step, true, Fault::internal("Unknown", why), happened);
    }

    /// Whether the saga may go back from a step: it did not happen, or something takes back what nobody knows to have happened.
    pub(super) fn may_leave(&self, step: usize) -> bool {
        let info = self.info_of(step);
        !self.instance.progress.steps[step].unknown
            || match info.compensation {
                Some(compensation) => compensation.takes_unknown,
                // Without one it needs none, unless nothing after it could be taken back.
                None => !info.pivot,
            }
    }

    fn park_at(&mut self, step: usize, reason: String, happened: &mut Vec<Happened>) {
        let name = self.info_of(step).name.to_owned();
        self.park(Parked { step: Some(name), compensating: false, reason }, happened);
    }
}

fn timed_out(text: String) -> Fault {
    Fault { code: Some("SAGA_TIMED_OUT".into()), ..Fault::internal("Timeout", text) }
}
