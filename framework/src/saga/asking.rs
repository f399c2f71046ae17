//! What whoever looks after sagas may ask of one, wherever it runs.

use super::{
    Instance, SagaId, SagaState, SagaStatus,
    error::SagaRefusal,
    log::SagaLog,
    signals::{CANCEL, RETRY, SETTLE},
};
use crate::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Cancel,
    Retry,
    Skip,
}

impl Ask {
    /// The word for it.
    #[cfg(feature = "http")]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Skip => "skip",
        }
    }

    /// The signal that asks it.
    pub(super) fn signal(self) -> &'static str {
        match self {
            Self::Cancel => CANCEL,
            Self::Retry => RETRY,
            Self::Skip => SETTLE,
        }
    }

    /// Whether it makes sense as the saga stands. It may stand otherwise when the runner reads the signal, which looks once more.
    pub(crate) fn check(self, instance: &Instance) -> Result<(), SagaRefusal> {
        let (id, state) = (instance.id.id.clone(), instance.state);
        let at_compensation =
            || instance.progress.parked.as_ref().is_some_and(|parked| parked.compensating && parked.step.is_some());
        match self {
            Self::Cancel if state.is_over() => Err(SagaRefusal::Over { id, state }),
            Self::Retry | Self::Skip if state != SagaState::Parked => Err(SagaRefusal::NotParked { id, state }),
            Self::Skip if !at_compensation() => Err(SagaRefusal::NotCompensating { id }),
            _ => Ok(()),
        }
    }
}

/// The saga that something is to be asked of.
pub(super) async fn find(log: &dyn SagaLog, id: &SagaId) -> Result<Instance, SagaRefusal> {
    let found = log.load(id).await.map_err(SagaRefusal::Log)?;
    found.ok_or_else(|| SagaRefusal::NotFound { id: id.id.clone() })
}

/// What became of a signal.
pub(super) fn sent(id: &str, sent: Result<bool>) -> Result<(), SagaRefusal> {
    match sent {
        Ok(true) => Ok(()),
        Ok(false) => Err(SagaRefusal::NotFound { id: id.to_owned() }),
        Err(error) => Err(SagaRefusal::Log(error)),
    }
}

/// One saga with its timeline.
pub(super) async fn status(log: &dyn SagaLog, id: &SagaId) -> Result<Option<SagaStatus>> {
    let Some(instance) = log.load(id).await? else { return Ok(None) };
    Ok(Some(SagaStatus { instance, timeline: log.timeline(id).await? }))
}
