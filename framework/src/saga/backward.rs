//! Backward: what was done is taken back, the last step first.

use std::time::Duration;

use super::{
    Happened, Parked, StepState, What,
    definition::{CompensationInfo, Misfit, STEP_TIMEOUT, StepRetry, Undone},
    runner::{Halt, Runner, values},
};
use crate::event::Action;

impl Runner {
    /// Runs the compensation that is next.
    pub(super) async fn backward(&mut self) -> Result<(), Halt> {
        let Some((step, compensation)) = self
            .compensating()
            .and_then(|step| self.info_of(step).compensation.map(|compensation| (step, compensation)))
        else {
            let mut happened = Vec::new();
            self.next_compensation(&mut happened);
            return self.commit(happened).await;
        };
        if self.engine.stop.is_cancelled() {
            return Err(self.stop_now().await);
        }
        if self.instance.progress.steps[step].compensations == 0 {
            // It was given out of hand before it was run.
            let mut happened = Vec::new();
            self.next_compensation(&mut happened);
            self.commit(happened).await?;
        }
        let number = self.instance.progress.steps[step].compensations;
        let undone = self.attempt_undo(step, compensation, number).await?;
        let mut happened = Vec::new();
        let verdict = match undone {
            Undone::Done => {
                let progress = self.step(step);
                progress.state = StepState::Compensated;
                progress.error = None;
                happened.push(Happened::to(What::Undone, self.info_of(step).name).attempt(number));
                self.next_compensation(&mut happened);
                return self.commit(happened).await;
            }
            Undone::Misfit(Misfit(why)) => {
                self.step(step).error = Some(why.clone());
                self.park_undo(step, format!("its compensation cannot be run: {why}"), &mut happened);
                return self.commit(happened).await;
            }
            Undone::Failed(verdict) => verdict,
        };
        let delay = self.undo_failed(step, &verdict.fault().to_string(), &mut happened);
        self.commit(happened).await?;
        match (delay, verdict.action()) {
            (Some(_), Action::RetryAfter(after)) => self.pause(after).await,
            (Some(delay), _) => self.pause(delay).await,
            (None, _) => Ok(()),
        }
    }

    async fn attempt_undo(&mut self, step: usize, compensation: CompensationInfo, number: u32) -> Result<Undone, Halt> {
        #[cfg(feature = "testing")]
        if let Some(undone) = self.engine.faults.before_undo(step)? {
            return Ok(undone);
        }
        let key = self.key(step);
        // Its own calls are others than those of its step.
        let own = key.of(compensation.name);
        let attempt = self.attempt(compensation.name, own, number, STEP_TIMEOUT);
        let steps = self.engine.steps.clone();
        let values = values(&self.instance, step, &key);
        let kill = self.engine.kill.clone();
        let running = async {
            tokio::select! {
                undone = steps.undo(step, &values, attempt) => Some(undone),
                () = kill.cancelled() => None,
            }
        };
        let undone = self.hold.renewing(running).await?.ok_or(Halt::Stopped)?;
        #[cfg(feature = "testing")]
        let undone = self.engine.faults.after_undo(step, undone)?;
        Ok(undone)
    }

    /// A compensation failed, or nobody heard its end: another attempt after some time, or the saga is parked.
    pub(super) fn undo_failed(&mut self, step: usize, why: &str, happened: &mut Vec<Happened>) -> Option<Duration> {
        let retry = StepRetry::COMPENSATION;
        let name = self.info_of(step).name;
        let progress = self.step(step);
        progress.error = Some(why.to_owned());
        let number = progress.compensations;
        happened.push(Happened::to(What::UndoFailed, name).attempt(number).because(why));
        if number < retry.max {
            self.step(step).compensations += 1;
            return Some(self.engine.delay(&retry, number));
        }
        self.park_undo(step, format!("its compensation failed {number} times: {why}"), happened);
        None
    }

    fn park_undo(&mut self, step: usize, reason: String, happened: &mut Vec<Happened>) {
        let name = self.info_of(step).name.to_owned();
        self.park(Parked { step: Some(name), compensating: true, reason }, happened);
    }
}
