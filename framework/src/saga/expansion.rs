//! What the code that `#[saga]` writes names.

pub use super::definition::{
    CompensationInfo, Definition, Misfit, Ran, STEP_TIMEOUT, SagaInfo, StepError, StepInfo, StepInput, StepOutput,
    StepRetry, Undone, Values, WaitInfo, ran, read_signal, undone,
};

/// There is none of this number. Never seen: the runner counts the steps of the same definition.
pub fn no_such_step() -> Misfit {
    Misfit("there is no such step".to_owned())
}
