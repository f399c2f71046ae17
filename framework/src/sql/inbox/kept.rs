//! What is kept of a run.

use bytes::Bytes;

use crate::{
    Error, Result,
    codec::{Codecs, Format},
    event::Action,
    protocol::Fault,
    service::{FaultKind, Outcome, WorkerCall},
    sql::backend::Cell,
    worker::unexpected,
};

/// The answer of a run that is over, as the next one gets it.
pub(super) enum Kept {
    /// A reply's whole body, in a codec that every program has.
    Reply(Format, Bytes),
    /// The error that the method returned, and means.
    Fault(Box<Fault>),
    /// A message is done with.
    Done,
}

impl Kept {
    /// What is kept of an outcome. `None`: nothing, the next run begins anew.
    ///
    /// An error is kept that the method returned and whose type says what it means, unless it is one to try again. What came from elsewhere,
    /// a panic, a lost database, a service that was away, says nothing of the next time.
    pub(super) fn of(outcome: &Outcome, format: &Format, returned: bool) -> Result<Option<Self>> {
        Ok(match outcome {
            Outcome::Reply(body) => Some(match format {
                Format::Json | Format::MessagePack => Self::Reply(format.clone(), body.clone()),
                Format::Custom(_) => Self::Reply(Format::MessagePack, format.transcode(body, &Format::MessagePack)?),
            }),
            Outcome::Fault { fault, .. }
                if returned && fault.code.is_some() && !fault.internal && fault.retryable != Some(true) =>
            {
                Some(Self::Fault(fault.clone()))
            }
            Outcome::Done => Some(Self::Done),
            Outcome::Failed(verdict) if verdict.action() == Action::Reject => Some(Self::Done),
            _ => None,
        })
    }

    /// What a later run ends with.
    pub(super) fn outcome(self, call: &WorkerCall) -> Outcome {
        match self {
            Self::Reply(format, body) if format == call.format => Outcome::Reply(body),
            Self::Reply(format, body) => match format.transcode(&body, &call.format) {
                Ok(body) => Outcome::Reply(body),
                Err(error) => unexpected(Fault::nameko("UnserializableValueError", error.chain())),
            },
            Self::Fault(fault) => Outcome::Fault { fault, kind: FaultKind::Expected },
            Self::Done => Outcome::Done,
        }
    }

    /// The columns `state`, `content_type` and `body`.
    pub(super) fn cells(&self) -> (&'static str, Cell, Cell) {
        match self {
            Self::Reply(format, body) => ("reply", format.content_type().to_string().into(), body.to_vec().into()),
            Self::Fault(fault) => {
                ("fault", Cell::Text(None), serde_json::to_vec(fault).expect("a fault is JSON").into())
            }
            Self::Done => ("done", Cell::Text(None), Cell::Bytes(None)),
        }
    }

    /// Reads the same columns.
    ///
    /// # Errors
    ///
    /// Where somebody else wrote them.
    pub(super) fn read(state: &str, content_type: Option<String>, body: Option<Vec<u8>>) -> Result<Self> {
        let format = content_type.as_deref().and_then(|content_type| Codecs::default().by_content_type(content_type));
        match (state, format, body) {
            ("done", ..) => Ok(Self::Done),
            ("fault", _, Some(body)) => Ok(Self::Fault(serde_json::from_slice(&body)?)),
            ("reply", Some(format), Some(body)) => Ok(Self::Reply(format, body.into())),
            _ => {
                let text = format!(
                    "a row of kinoko_inbox has state `{state}` and content type {content_type:?}: a later version of kinoko wrote it, or \
                     somebody else; delete it, or update this program"
                );
                Err(Error::msg(text))
            }
        }
    }
}
