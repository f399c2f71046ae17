//! What is asked of a saga, by signals that are the runner's own.

use super::{
    FailureReason, Happened, Parked, SagaState, StepState, What,
    log::last_number,
    runner::{Halt, Runner},
    signals::{CANCEL, RETRY, SETTLE},
};
use crate::protocol::Fault;

impl Runner {
    /// Looks at what was sent to it.
    pub(super) async fn read_mail(&mut self) -> Result<(), Halt> {
        if !self.fits || self.released {
            return Ok(());
        }
        if self.hold.signals > last_number(&self.instance.signals) || self.here.take_told() {
            let loaded = self.engine.log.load(&self.instance.id).await;
            match loaded {
                Ok(Some(instance)) => {
                    self.instance.signals = instance.signals;
                    self.hold.signals = self.hold.signals.max(last_number(&self.instance.signals));
                }
                Ok(None) => return Err(Halt::Lost),
                // It is looked at again with the next transition.
                Err(error) => tracing::warn!(saga = %self.instance.id, error = error.chain(), "signals cannot be read"),
            }
        }
        let mut happened = Vec::new();
        for (number, name) in self.commands() {
            match name.as_str() {
                // It is asked again when it is known whether the current step happened.
                CANCEL if !self.cancel(&mut happened) => continue,
                RETRY => self.resume(&mut happened),
                SETTLE => self.settle(&mut happened),
                _ => {}
            }
            self.instance.progress.taken.push(number);
        }
        if happened.is_empty() { Ok(()) } else { self.commit(happened).await }
    }

    /// The runner's own signals that nobody has looked at.
    pub(super) fn commands(&self) -> Vec<(u64, String)> {
        let taken = &self.instance.progress.taken;
        let commands = self.instance.signals.iter().filter(|signal| signal.name.starts_with("kinoko."));
        commands
            .filter(|signal| !taken.contains(&signal.number))
            .map(|signal| (signal.number, signal.name.clone()))
            .collect()
    }

    /// Goes back, unless it is too late for it. `false`: nobody knows yet.
    fn cancel(&mut self, happened: &mut Vec<Happened>) -> bool {
        let refused = Happened::new(What::CancelRefused);
        match (self.instance.state, self.current()) {
            (SagaState::Running, _) if self.past_pivot() => {
                happened.push(refused.because("its pivot is done: it goes forward only"));
            }
            (SagaState::Running, Some(step)) => {
                if !self.may_leave(step) {
                    return false;
                }
                happened.push(Happened::new(What::CancelAsked));
                self.go_back(step, FailureReason::Cancelled, cancelled(), happened);
            }
            (SagaState::Parked, _) if !self.is_going_back() && !self.past_pivot() && !self.undecided() => {
                happened.push(Happened::new(What::CancelAsked));
                self.instance.progress.parked = None;
                if let Some(step) = self.current() {
                    self.go_back(step, FailureReason::Cancelled, cancelled(), happened);
                }
            }
            _ => happened.push(refused.because(format!("it is {}", self.instance.state))),
        }
        true
    }

    /// It stands at a step that may have happened, which only another attempt can tell.
    fn undecided(&self) -> bool {
        self.current().is_some_and(|step| !self.may_leave(step))
    }

    /// Somebody asks for another try at what it is parked at.
    fn resume(&mut self, happened: &mut Vec<Happened>) {
        let Some(parked) = self.unpark() else { return };
        happened.push(Happened { step: parked.step, ..Happened::new(What::Resumed) });
        match (self.instance.state, self.current(), self.compensating()) {
            (SagaState::Compensating, _, Some(step)) => {
                self.step(step).compensations = 1;
                let name = self.info_of(step).name;
                happened.push(Happened::to(What::Compensating, name));
            }
            (SagaState::Running, Some(step), _) => {
                self.step(step).attempts = 0;
                if matches!(self.step(step).state, StepState::Running | StepState::Waiting) {
                    self.step(step).state = StepState::Pending;
                }
            }
            _ => {}
        }
    }

    /// Somebody says that the compensation it is parked at is not to be run.
    fn settle(&mut self, happened: &mut Vec<Happened>) {
        if self.instance.progress.parked.as_ref().is_none_or(|parked| !parked.compensating) {
            return;
        }
        let Some(step) = self.compensating() else { return };
        self.unpark();
        self.step(step).state = StepState::Settled;
        happened.push(Happened::to(What::Settled, self.info_of(step).name));
        self.next_compensation(happened);
    }

    fn unpark(&mut self) -> Option<Parked> {
        let parked = self.instance.progress.parked.take()?;
        self.instance.state = if self.is_going_back() { SagaState::Compensating } else { SagaState::Running };
        Some(parked)
    }
}

fn cancelled() -> Fault {
    Fault { code: Some("SAGA_CANCELLED".into()), ..Fault::internal("Cancelled", "somebody cancelled the saga") }
}
