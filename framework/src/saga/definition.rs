//! What `#[saga]` implements: the steps of a saga, as a runner takes them.

use std::{fmt::Write as _, time::Duration};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{StepProgress, StepState};
use crate::{
    client::CallError,
    dependency::Dependencies,
    event::Verdict,
    protocol::{Certainty, Fault, ServiceError, Value},
};

/// A saga: a struct whose impl block is marked [`#[saga]`](macro@crate::saga), which implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a saga",
    label = "no `#[saga]` block",
    note = "mark its impl block: `#[saga(name = \"…\")] impl {Self} {{ … }}`"
)]
pub trait Definition: Dependencies {
    /// What it is started with.
    type Input: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// What it ends with.
    type Output: DeserializeOwned + Send + 'static;

    /// What it consists of.
    const SAGA: &'static SagaInfo;

    /// Whether a step with a `when` is to be run.
    #[doc(hidden)]
    fn condition(&self, step: usize, values: &Values<'_>) -> Result<bool, Misfit>;

    /// Runs one step.
    #[doc(hidden)]
    fn step<'a>(&'a self, step: usize, values: &'a Values<'a>) -> BoxFuture<'a, Ran>;

    /// Runs the compensation of one step.
    #[doc(hidden)]
    fn compensation<'a>(&'a self, step: usize, values: &'a Values<'a>) -> BoxFuture<'a, Undone>;

    /// Whether a step that waits can read this.
    #[doc(hidden)]
    fn read_signal(step: usize, payload: &Value) -> Result<(), Misfit>;
}

/// What a saga consists of.
#[derive(Debug, Clone, Copy)]
pub struct SagaInfo {
    /// Its name.
    pub name: &'static str,
    /// The doc comment of its impl block.
    pub doc: &'static str,
    /// Its version.
    pub version: u32,
    /// How long it may take, up to its pivot.
    pub timeout: Option<Duration>,
    /// The type of its input, as it is written.
    pub input: &'static str,
    /// Its steps, in order.
    pub steps: &'static [StepInfo],
}

/// What a step is.
#[derive(Debug, Clone, Copy)]
pub struct StepInfo {
    /// The method's name.
    pub name: &'static str,
    /// The doc comment.
    pub doc: &'static str,
    /// The type of its output, as it is written.
    pub output: &'static str,
    /// What takes it back.
    pub compensation: Option<CompensationInfo>,
    /// Whether it has a `when`.
    pub conditional: bool,
    /// What it waits for.
    pub wait: Option<WaitInfo>,
    /// The step after which there is no going back.
    pub pivot: bool,
    /// How it is repeated.
    pub retry: StepRetry,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// What takes a step back.
#[derive(Debug, Clone, Copy)]
pub struct CompensationInfo {
    /// The method's name.
    pub name: &'static str,
    /// Whether it can be told that nobody knows whether the step happened: it takes an [`Outcome`].
    pub takes_unknown: bool,
}

/// What a step waits for.
#[derive(Debug, Clone, Copy)]
pub struct WaitInfo {
    /// The name of the signal.
    pub signal: &'static str,
    /// How long it waits.
    pub timeout: Duration,
}

/// How a step is repeated.
#[derive(Debug, Clone, Copy)]
pub struct StepRetry {
    /// The most attempts, the first one included.
    pub max: u32,
    /// The delay after the first; it doubles with each.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
    /// Whether a delay is a random one between a half of it and the whole.
    pub jitter: bool,
}

impl Default for StepRetry {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl StepRetry {
    /// Where nothing else is written: 5 attempts, a second doubling to half a minute.
    pub const DEFAULT: Self =
        Self { max: 5, first: Duration::from_secs(1), longest: Duration::from_secs(30), jitter: true };

    /// Of compensations: 10 attempts.
    pub(super) const COMPENSATION: Self = Self { max: 10, ..Self::DEFAULT };

    /// How long to wait after so many attempts.
    pub(super) fn delay(&self, attempts: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        if self.jitter { whole.mul_f64(0.5 + 0.5 * fastrand::f64()) } else { whole }
    }
}

/// How long one attempt may take, where its step does not say. Compensations always.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(30);

impl SagaInfo {
    /// What a log compares: a saga that was begun with other steps is not to be run with these.
    pub(super) fn fingerprint(&self) -> String {
        let mut text = self.input.to_owned();
        for step in self.steps {
            let (question, wait) =
                (if step.conditional { "?" } else { "" }, if step.wait.is_some() { "~" } else { "" });
            let undo = step.compensation.map_or("", |undo| undo.name);
            let _ = write!(text, " > {wait}{}{question}/{undo}: {}", step.name, step.output);
        }
        text
    }

    /// The steps that wait for this signal.
    pub(super) fn waiting_for<'a>(&'a self, signal: &'a str) -> impl Iterator<Item = usize> + 'a {
        let waits = move |step: &StepInfo| step.wait.is_some_and(|wait| wait.signal == signal);
        self.steps.iter().enumerate().filter(move |(_, step)| waits(step)).map(|(place, _)| place)
    }
}

/// What a compensation is told of its step.
///
/// A step whose call was not answered may have happened or not. Its compensation gets the key that the step's calls carried, so that it
/// can ask, or undo by the key what may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It happened, and returned this.
    Done(T),
    /// Nobody knows.
    Unknown(StepKey),
}

/// The key of one step of one saga: `{saga}/{id}/{step}`, the same for each of its attempts.
///
/// All calls that a step makes carry it, so that a service that knows keys does the work of repeated ones once: the second call of one
/// attempt `…#2`, the third `…#3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepKey(String);

impl StepKey {
    pub(super) fn new(saga: &str, id: &str, step: &str) -> Self {
        Self([saga, id, step].join("/"))
    }

    /// The key of a part of it.
    pub(super) fn of(&self, part: &str) -> Self {
        Self([&self.0, "/", part].concat())
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for StepKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is in the log does not fit the definition, or the other way round.
#[doc(hidden)]
#[derive(Debug)]
pub struct Misfit(pub(super) String);

/// How an attempt at a step ended.
#[doc(hidden)]
#[derive(Debug)]
pub enum Ran {
    /// It returned a value.
    Done(Value),
    /// It returned an error.
    Failed {
        /// Whether it happened.
        certainty: Certainty,
        /// The error.
        fault: Box<Fault>,
    },
    /// It could not be run, or its value cannot be kept.
    Misfit(Misfit),
}

/// How an attempt at a compensation ended.
#[doc(hidden)]
#[derive(Debug)]
pub enum Undone {
    /// It is done.
    Done,
    /// It is to be repeated.
    Failed(Box<Verdict>),
    /// It could not be run.
    Misfit(Misfit),
}

/// What a step can take: the input, and what the steps before it returned.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    pub(super) input: &'a Value,
    pub(super) steps: &'a [StepProgress],
    pub(super) signal: Option<&'a Value>,
    pub(super) key: &'a StepKey,
}

impl Values<'_> {
    /// The saga's input.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T, Misfit> {
        T::deserialize(self.input).map_err(|error| Misfit(format!("the input cannot be read: {error}")))
    }

    /// What a step returned.
    ///
    /// # Errors
    ///
    /// When there is nothing, or it cannot be read.
    pub fn output<T: DeserializeOwned>(&self, step: usize) -> Result<T, Misfit> {
        self.optional(step)?.ok_or_else(|| Misfit(format!("step {} has no output", step + 1)))
    }

    /// What a step returned, if it was run.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn optional<T: DeserializeOwned>(&self, step: usize) -> Result<Option<T>, Misfit> {
        let Some(progress) = self.steps.get(step) else { return Ok(None) };
        let Some(output) = &progress.output else { return Ok(None) };
        let misfit = |error| Misfit(format!("the output of `{}` cannot be read: {error}", progress.name));
        T::deserialize(output).map(Some).map_err(misfit)
    }

    /// The same for a compensation that can do without.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn outcome<T: DeserializeOwned>(&self, step: usize) -> Result<Outcome<T>, Misfit> {
        Ok(match self.optional(step)? {
            Some(output) => Outcome::Done(output),
            None => Outcome::Unknown(self.key.clone()),
        })
    }

    /// What the signal carries that a step waited for.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn signal<T: DeserializeOwned>(&self) -> Result<T, Misfit> {
        let payload = self.signal.ok_or_else(|| Misfit("its signal is not there".to_owned()))?;
        read_signal(payload)
    }
}

/// What a signal carries.
///
/// # Errors
///
/// When it cannot be read.
#[doc(hidden)]
pub fn read_signal<T: DeserializeOwned>(payload: &Value) -> Result<T, Misfit> {
    T::deserialize(payload).map_err(|error| Misfit(format!("the signal cannot be read: {error}")))
}

/// How a step ended that returned this.
#[doc(hidden)]
pub fn ran<T: StepOutput, E: StepError>(returned: Result<T, E>) -> Ran {
    match returned {
        Ok(output) => match serde_json::to_value(&output) {
            Ok(output) => Ran::Done(output),
            Err(error) => Ran::Misfit(Misfit(format!("it is done, and its output cannot be kept: {error}"))),
        },
        Err(error) => Ran::Failed { certainty: error.certainty(), fault: Box::new(error.to_fault()) },
    }
}

/// How a compensation ended that returned this.
#[doc(hidden)]
pub fn undone<R: CompensationResult>(returned: R) -> Undone {
    match returned.verdict() {
        Ok(()) => Undone::Done,
        Err(verdict) => Undone::Failed(Box::new(verdict)),
    }
}

/// What a step may return: it is kept in the log, as JSON.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be kept in a saga's log",
    label = "not `Serialize` and `Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to it"
)]
pub trait StepOutput: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> StepOutput for T {}

/// What a saga may be started with, and what a signal may carry: it is kept in the log, as JSON.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` cannot be kept in a saga's log",
    label = "not `Serialize` and `Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to it"
)]
pub trait StepInput: Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> StepInput for T {}

/// What a step may fail with: a [`ServiceError`], or the [`CallError`] of a client.
#[diagnostic::on_unimplemented(
    message = "a step cannot fail with a `{Self}`",
    label = "neither a `ServiceError` nor a `CallError`",
    note = "add `#[derive(ServiceError)]` to it: only an error with a type says that the step did not happen"
)]
pub trait StepError {
    /// Whether it can hold a [`CallError`].
    const CALLS_OUT: bool;

    /// What it says of whether the step happened.
    #[doc(hidden)]
    fn certainty(&self) -> Certainty;

    /// The error as it travels.
    fn to_fault(&self) -> Fault;
}

#[diagnostic::do_not_recommend]
impl<E: ServiceError> StepError for E {
    const CALLS_OUT: bool = E::CALLS_OUT;

    fn certainty(&self) -> Certainty {
        ServiceError::certainty(self)
    }

    fn to_fault(&self) -> Fault {
        ServiceError::to_fault(self)
    }
}

impl<E: ServiceError> StepError for CallError<E> {
    const CALLS_OUT: bool = true;

    fn certainty(&self) -> Certainty {
        CallError::certainty(self)
    }

    fn to_fault(&self) -> Fault {
        CallError::to_fault(self)
    }
}

/// What a compensation may return: nothing, or a `Result` of nothing whose every error means "again".
#[diagnostic::on_unimplemented(
    message = "a compensation cannot return a `{Self}`",
    label = "neither nothing nor a `Result<(), E>`",
    note = "return nothing, or `Result<(), E>` with `Retry`, a `ServiceError` or a `CallError` for `E`: every error means that it is run again"
)]
pub trait CompensationResult {
    /// Why it is to be run again.
    #[doc(hidden)]
    fn verdict(self) -> Result<(), Verdict>;
}

impl CompensationResult for () {
    fn verdict(self) -> Result<(), Verdict> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Verdict>> CompensationResult for Result<(), E> {
    fn verdict(self) -> Result<(), Verdict> {
        self.map_err(Into::into)
    }
}

impl StepProgress {
    pub(super) fn of(info: &SagaInfo) -> Vec<Self> {
        info.steps.iter().map(|step| Self { name: step.name.to_owned(), ..Self::default() }).collect()
    }

    /// Whether it has something that can be taken back.
    pub(super) fn may_have_happened(&self) -> bool {
        matches!(self.state, StepState::Done | StepState::Unknown | StepState::Compensating)
    }
}
