//! What generated code calls for methods that a message fires: reading payloads, and what the method's value becomes.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    event::{Action, EventSet, FromPayload, PayloadError, PayloadOf, RawDelivery, Verdict},
    protocol::Fault,
    service::{Outcome, WorkerCall},
};

/// Asks, at a concrete type, whether it is an event: an inherent function hides the trait's.
///
/// A type that is none is told where it is named, and not again at the payload.
#[derive(Debug)]
pub struct Handled<E>(PhantomData<E>);

impl<E: EventSet> Handled<E> {
    /// Reads the payload that a handler of `E` takes.
    ///
    /// # Errors
    ///
    /// As [`payload`].
    pub fn payload<P: PayloadOf<E>>(call: &WorkerCall) -> Result<P, Outcome> {
        read(&call.raw(), P::read).map_err(Outcome::Failed)
    }

    /// Reads the payloads of a batch of `E`.
    ///
    /// # Errors
    ///
    /// As [`payload_batch`].
    pub fn payload_batch<P: PayloadOf<E>>(call: &WorkerCall) -> Result<Batch<P>, Outcome> {
        read_all(call, P::read)
    }
}

/// The other half of [`Handled`]. Never run: such a program does not build.
pub trait NotHandled {
    /// Nothing.
    ///
    /// # Errors
    ///
    /// Never.
    fn payload<P>(_: &WorkerCall) -> Result<P, Outcome> {
        unreachable!("it does not compile")
    }

    /// Nothing.
    ///
    /// # Errors
    ///
    /// Never.
    fn payload_batch<P>(_: &WorkerCall) -> Result<Batch<P>, Outcome> {
        unreachable!("it does not compile")
    }
}

impl<E> NotHandled for Handled<E> {}

/// Reads the payload of a handler that names its event, or its queue, by strings.
///
/// # Errors
///
/// The outcome to return: it becomes a dead letter, since no attempt would read it better.
pub fn payload<P: FromPayload>(call: &WorkerCall) -> Result<P, Outcome> {
    read(&call.raw(), P::read).map_err(Outcome::Failed)
}

/// A batch whose payloads are read: those that could be, and what becomes of the others.
#[derive(Debug)]
pub struct Batch<P> {
    /// What the method gets.
    pub payloads: Vec<P>,
    /// For each delivery, why it could not be read.
    pub unread: Vec<Option<Verdict>>,
}

/// Reads the payloads of a batch whose handler names its event, or its queue, by strings.
///
/// # Errors
///
/// The outcome to return where none of them could be read.
pub fn payload_batch<P: FromPayload>(call: &WorkerCall) -> Result<Batch<P>, Outcome> {
    read_all(call, P::read)
}

fn read_all<P>(call: &WorkerCall, one: fn(&RawDelivery) -> Result<P, PayloadError>) -> Result<Batch<P>, Outcome> {
    let mut batch = Batch { payloads: Vec::with_capacity(call.batch.len()), unread: Vec::new() };
    for raw in &call.batch {
        let (payload, unread) = match read(raw, one) {
            Ok(payload) => (Some(payload), None),
            Err(verdict) => (None, Some(verdict)),
        };
        batch.payloads.extend(payload);
        batch.unread.push(unread);
    }
    if batch.payloads.is_empty() { Err(Outcome::Batch(batch.unread)) } else { Ok(batch) }
}

fn read<P>(raw: &RawDelivery, read: fn(&RawDelivery) -> Result<P, PayloadError>) -> Result<P, Verdict> {
    let fault = match catch_unwind(AssertUnwindSafe(|| read(raw))) {
        Ok(Ok(payload)) => return Ok(payload),
        Ok(Err(error)) => Fault::internal("MalformedMessage", error.to_string()),
        Err(panic) => Fault::panic(&*panic),
    };
    Err(Verdict::new(Action::DeadLetter, fault))
}

/// What a method may return that a message or the clock fires.
#[diagnostic::on_unimplemented(
    message = "nobody receives the `{Self}` that this method returns",
    label = "a message and the clock wait for no reply",
    note = "return nothing, or `Result<(), E>`"
)]
pub trait NoReply {}

impl NoReply for () {}

/// An error that says what becomes of the message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what becomes of the message",
    label = "not `Into<Verdict>`",
    note = "return `Retry`, `Reject`, `DeadLetter`, an error with `#[derive(ServiceError)]`, or `kinoko::Result<()>` for any error at all"
)]
pub trait IntoVerdict {
    /// Converts it.
    fn into_verdict(self) -> Verdict;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Verdict>> IntoVerdict for E {
    fn into_verdict(self) -> Verdict {
        self.into()
    }
}

/// What a handler's value becomes.
pub fn settled<T: NoReply, E: IntoVerdict>(value: Result<T, E>) -> Outcome {
    match value {
        Ok(_) => Outcome::Done,
        Err(error) => Outcome::Failed(error.into_verdict()),
    }
}

/// What a batch handler may return: one verdict for all, or one for each item in order.
#[diagnostic::on_unimplemented(
    message = "a batch handler cannot return `{Self}`",
    label = "neither `Result<(), E>` for all, nor `Vec<Result<(), E>>` for each",
    note = "the error is anything that is `Into<Verdict>`: `Retry`, `Reject`, `DeadLetter`, a `ServiceError`, `kinoko::Error`"
)]
pub trait BatchResult {
    /// The verdict of each of so many items; `None`: it is done with.
    fn verdicts(self, items: usize) -> Vec<Option<Verdict>>;
}

impl BatchResult for () {
    fn verdicts(self, items: usize) -> Vec<Option<Verdict>> {
        vec![None; items]
    }
}

impl<E: Into<Verdict>> BatchResult for Result<(), E> {
    fn verdicts(self, items: usize) -> Vec<Option<Verdict>> {
        vec![self.err().map(Into::into); items]
    }
}

impl<E: Into<Verdict>> BatchResult for Vec<Result<(), E>> {
    fn verdicts(self, items: usize) -> Vec<Option<Verdict>> {
        let returned = self.len();
        let mut verdicts: Vec<_> = self.into_iter().map(|result| result.err().map(Into::into)).collect();
        if returned != items {
            // Which result belongs to which item nobody can tell.
            let text = format!("the handler returned {returned} results for a batch of {items}");
            verdicts = vec![Some(Verdict::new(Action::Retry, Fault::internal("BatchResult", text))); items];
        }
        verdicts
    }
}

/// What the value of a batch handler becomes.
pub fn settled_batch<V: BatchResult>(unread: Vec<Option<Verdict>>, value: V) -> Outcome {
    let read = unread.iter().filter(|unread| unread.is_none()).count();
    let mut verdicts = value.verdicts(read).into_iter();
    Outcome::Batch(unread.into_iter().map(|unread| unread.or_else(|| verdicts.next().flatten())).collect())
}
