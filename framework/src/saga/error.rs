//! Why a saga was not started, and how one ends that does not succeed.

use crate::{
    Error,
    protocol::{Certainty, Fault, ServiceError},
};

use super::{FailureReason, Instance, SagaState};

/// Why a saga was not started, or could not be told something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is one of this id already, which was started with another input.
    #[error("saga `{id}` was started before, with another input: give this one an id of its own")]
    OtherInput {
        /// The id.
        id: String,
    },
    /// There is one of this id already, which another service hosts.
    #[error("saga `{id}` belongs to service `{service}`: one saga is hosted by one service")]
    OtherService {
        /// The id.
        id: String,
        /// The service that hosts it.
        service: String,
    },
    /// The id is empty, or too long.
    #[error("`{id}` is no id for a saga: it has 1 to {longest} bytes")]
    BadId {
        /// The id.
        id: String,
        /// The most bytes that one may have.
        longest: usize,
    },
    /// The input cannot be kept as JSON.
    #[error("the input cannot be kept in the log: {0}")]
    Input(String),
    /// The service stops.
    #[error("the service stops, and starts no sagas any more")]
    Stopping,
    /// The log fails; whether the saga was started is not known. Starting it again under the same id is safe.
    #[error("the log of sagas failed: {}", .0.chain())]
    Log(Error),
}

/// Why something was not done to a saga.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SagaRefusal {
    /// There is no saga of this id.
    #[error("there is no saga `{id}`")]
    NotFound {
        /// The id.
        id: String,
    },
    /// It is over.
    #[error("saga `{id}` is {state}")]
    Over {
        /// The id.
        id: String,
        /// How it ended.
        state: SagaState,
    },
    /// It is not parked.
    #[error("saga `{id}` is {state}, not parked")]
    NotParked {
        /// The id.
        id: String,
        /// How it stands.
        state: SagaState,
    },
    /// It is parked at a step: only a compensation can be skipped, since the steps after a step need its output.
    #[error("saga `{id}` is parked at a step, and only a compensation can be skipped: retry it")]
    NotCompensating {
        /// The id.
        id: String,
    },
    /// No step waits for such a signal.
    #[error("no step waits for a signal `{signal}`: {known}")]
    UnknownSignal {
        /// The name.
        signal: String,
        /// Which there are, in words.
        known: String,
    },
    /// What the signal carries is not what its step reads.
    #[error("signal `{signal}` cannot carry this: {why}")]
    BadSignal {
        /// The name.
        signal: String,
        /// What is wrong.
        why: String,
    },
    /// The log fails.
    #[error("the log of sagas failed: {}", .0.chain())]
    Log(Error),
}

/// How a saga ends that does not succeed.
///
/// It is a [`ServiceError`], so that a service's method may return it: what a step failed with passes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SagaError {
    /// A step failed, or took too long, or somebody cancelled it. What was done before is taken back.
    #[error("{}{fault}", .step.as_deref().map(|step| format!("step `{step}`: ")).unwrap_or_default())]
    Compensated {
        /// What happened.
        reason: FailureReason,
        /// The step that it happened in.
        step: Option<String>,
        /// The step's error; [`SagaError::error`] reads it.
        fault: Box<Fault>,
    },
    /// It stands, and goes on when somebody retries it.
    #[error("saga `{id}` is parked{}: {reason}", .step.as_deref().map(|step| format!(" at `{step}`")).unwrap_or_default())]
    Parked {
        /// The id.
        id: String,
        /// The step that it stands at.
        step: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// There is no saga of this id.
    #[error("there is no saga `{id}`")]
    NotFound {
        /// The id.
        id: String,
    },
    /// It is completed, and its output cannot be read.
    #[error("the saga's output cannot be read: {0}")]
    Output(String),
    /// The log fails; the saga goes on.
    #[error("the log of sagas failed: {}", .0.chain())]
    Log(Error),
}

impl SagaError {
    /// The step's own error, where it is of this type.
    ///
    /// ```
    /// # use kinoko::{prelude::*, saga::SagaError};
    /// # #[derive(Debug, thiserror::Error, ServiceError)] enum StockError { #[error("sold out")] SoldOut }
    /// fn is_sold_out(error: &SagaError) -> bool {
    ///     matches!(error.error::<StockError>(), Some(StockError::SoldOut))
    /// }
    /// ```
    pub fn error<E: ServiceError>(&self) -> Option<E> {
        match self {
            Self::Compensated { fault, .. } => E::from_fault(fault),
            _ => None,
        }
    }

    /// Of a saga that is at rest and did not complete.
    pub(super) fn of(instance: &Instance) -> Self {
        let id = instance.id.id.clone();
        match (&instance.progress.parked, &instance.progress.failure) {
            (Some(parked), _) if instance.state == SagaState::Parked => {
                Self::Parked { id, step: parked.step.clone(), reason: parked.reason.clone() }
            }
            (_, Some(failure)) => Self::Compensated {
                reason: failure.reason,
                step: failure.step.clone(),
                fault: Box::new(failure.fault.clone()),
            },
            _ => Self::Parked { id, step: None, reason: format!("it is {}", instance.state) },
        }
    }
}

impl ServiceError for SagaError {
    fn to_fault(&self) -> Fault {
        match self {
            Self::Compensated { fault, .. } => (**fault).clone(),
            other => Fault::internal("SagaError", other.to_string()),
        }
    }

    fn from_fault(_: &Fault) -> Option<Self> {
        None
    }

    const CALLS_OUT: bool = true;

    fn certainty(&self) -> Certainty {
        match self {
            // What it did is taken back.
            Self::Compensated { .. } => Certainty::Refused,
            _ => Certainty::Unknown,
        }
    }
}
