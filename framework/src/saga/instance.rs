//! A saga as the log keeps it: plain data, all of it JSON.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Map;

use crate::protocol::{Fault, Value};

/// Which saga: its name, and the id that its starter gave it. No two in one log are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SagaId {
    /// The saga's name, `place_order`.
    pub saga: String,
    /// The business id, `order-17`.
    pub id: String,
}

impl SagaId {
    /// The saga of this name with this id.
    pub fn new(saga: impl Into<String>, id: impl Into<String>) -> Self {
        Self { saga: saga.into(), id: id.into() }
    }
}

impl fmt::Display for SagaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.saga, self.id)
    }
}

/// How a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SagaState {
    /// Going forward, or waiting for a signal.
    Running,
    /// Going back: what was done is compensated.
    Compensating,
    /// Over: every step is done or skipped.
    Completed,
    /// Over: everything that was done is compensated.
    Compensated,
    /// It stands until somebody retries or skips what does not succeed.
    Parked,
}

impl SagaState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Running, Self::Compensating, Self::Completed, Self::Compensated, Self::Parked];

    /// Whether nothing will happen any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }

    /// The word for it, as it is serialized: for a column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Compensating => "compensating",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::Parked => "parked",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for SagaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One saga in the log, without its timeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Instance {
    /// Which it is.
    pub id: SagaId,
    /// The service that hosts it: any instance of it may run it.
    pub service: String,
    /// The version that its definition had when it was started.
    pub version: u32,
    /// The steps that its definition had when it was started, as one readable text.
    pub steps: String,
    /// How it stands.
    pub state: SagaState,
    /// What it was started with.
    pub input: Value,
    /// The context of who started it: headers, by their whole names.
    pub context: Map<String, Value>,
    /// How far it has come.
    pub progress: Progress,
    /// How many transitions were appended. 0 for one that was just started.
    pub seq: u64,
    /// What was sent to it, in order.
    pub signals: Vec<Signal>,
    /// How long ago it was started, by the clock of the log.
    pub age: Duration,
    /// When it was started, in milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// When its last transition was appended, in milliseconds since the Unix epoch.
    pub updated_at_ms: u64,
    /// Who runs it at the moment.
    pub owner: Option<String>,
}

/// How far a saga has come. The log keeps it as it is, and does not look inside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Each step of the definition, in order.
    pub steps: Vec<StepProgress>,
    /// Why it goes back, or went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it is parked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Parked>,
    /// The numbers of the signals that were taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<u64>,
    /// Lifecycle events that are still to be dispatched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unannounced: Vec<String>,
}

/// One step of a saga.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepProgress {
    /// The method's name.
    pub name: String,
    /// How it stands.
    pub state: StepState,
    /// How often it was begun, since somebody last asked for a retry.
    #[serde(default)]
    pub attempts: u32,
    /// An attempt may have happened: it timed out, lost its connection, panicked, or its process ended.
    #[serde(default)]
    pub unknown: bool,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub output: Option<Value>,
    /// What it, or its compensation, failed with last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of a step that waits: the saga's age at which it does so no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Duration>,
    /// Of a step that waits: the number of the signal that it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u64>,
    /// How often its compensation was begun, since somebody last asked for a retry.
    #[serde(default)]
    pub compensations: u32,
}

/// A `null` that is there is the output of a step that returns nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// How a step stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepState {
    /// Not begun.
    #[default]
    Pending,
    /// Waits for its signal.
    Waiting,
    /// Begun.
    Running,
    /// Done: its output is in the log.
    Done,
    /// Its `when` said no.
    Skipped,
    /// It failed, and did not happen.
    Failed,
    /// It was given up without knowing whether it happened.
    Unknown,
    /// Its compensation was begun.
    Compensating,
    /// Its compensation is done.
    Compensated,
    /// Somebody said that its compensation is not to be run: it was done by hand, or is not needed.
    Settled,
}

/// Why a saga goes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What happened.
    pub reason: FailureReason,
    /// The step that it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The step's error.
    pub fault: Fault,
}

/// What made a saga go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureReason {
    /// A step failed.
    Failed,
    /// It took longer than the saga, or a wait for a signal, may take.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
}

/// Why a saga is parked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The step that it stands at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Whether it stands at that step's compensation.
    pub compensating: bool,
    /// What is wrong, in words.
    pub reason: String,
}

/// What was sent to a saga.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Counted from 1, for each saga.
    pub number: u64,
    /// Its name. Those that begin with `kinoko.` are the runner's own.
    pub name: String,
    /// What it carries.
    pub payload: Value,
}

/// One line of a saga's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Counted from 1, for each saga.
    pub number: u64,
    /// When, in milliseconds since the Unix epoch, by the clock of the log.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened, before the log gives it a number and a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// What.
    pub what: What,
    /// The step that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Which attempt, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// More of it in words: an error, a reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Happened {
    /// Something about the saga as a whole.
    pub fn new(what: What) -> Self {
        Self { what, step: None, attempt: None, detail: None }
    }

    /// Something about a step.
    pub fn to(what: What, step: &str) -> Self {
        Self { step: Some(step.to_owned()), ..Self::new(what) }
    }

    /// With the number of the attempt.
    #[must_use]
    pub fn attempt(self, attempt: u32) -> Self {
        Self { attempt: Some(attempt), ..self }
    }

    /// With more of it in words.
    #[must_use]
    pub fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what.as_str())?;
        if let Some(step) = &self.step {
            write!(f, " {step}")?;
        }
        if let Some(attempt) = self.attempt.filter(|attempt| *attempt > 1) {
            write!(f, " #{attempt}")?;
        }
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

macro_rules! what {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What can happen to a saga.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum What {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl What {
            /// The word for it, as it is serialized: for a column.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// What this word says.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

what! {
    /// It was started.
    Started = "started",
    /// Another process ran it, and this one goes on.
    TakenOver = "taken_over",
    /// A step was begun.
    Begun = "begun",
    /// A step is done.
    Done = "done",
    /// A step's `when` said no.
    Skipped = "skipped",
    /// A step failed with an error of its own: it did not happen.
    Failed = "failed",
    /// A step's call was not sent: it did not happen this time.
    NotSent = "not_sent",
    /// Whether a step happened is not known.
    Unknown = "unknown",
    /// A step waits for its signal.
    Waits = "waits",
    /// A signal was taken.
    Signalled = "signalled",
    /// Somebody asked for the saga to be cancelled.
    CancelAsked = "cancel_asked",
    /// Somebody asked for the saga to be cancelled, and it is too late.
    CancelRefused = "cancel_refused",
    /// It took too long.
    TimedOut = "timed_out",
    /// The saga goes back.
    GoesBack = "goes_back",
    /// A compensation was begun.
    Compensating = "compensating",
    /// A compensation is done.
    Undone = "undone",
    /// A compensation failed, and is repeated.
    UndoFailed = "undo_failed",
    /// A compensation was skipped by somebody.
    Settled = "settled",
    /// The saga stands until somebody looks at it.
    Parked = "parked",
    /// Somebody asked for another try.
    Resumed = "resumed",
    /// The saga is over: all steps are done.
    Completed = "completed",
    /// The saga is over: what was done is compensated.
    Compensated = "compensated",
}
