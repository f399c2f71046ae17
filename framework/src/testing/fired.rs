use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Map;

use crate::{
    Cancelled, Error, Fault, RawDelivery, Result, ServiceError, Value, WorkerContext,
    codec::Format,
    protocol::{Param, decode_reply},
    service::{Outcome, WorkerCall},
};

/// A worker that is over: which entrypoint fired, with what, and how it ended. From a [`Waiter`](super::Waiter).
#[derive(Clone)]
pub struct Fired(Arc<Inner>);

struct Inner {
    context: WorkerContext,
    /// What callers pass; a method that no caller fires has none.
    params: &'static [Param],
    format: Format,
    batch: Vec<RawDelivery>,
    end: End,
}

enum End {
    Returned(Bytes),
    Done,
    Failed(Fault),
    Cancelled(Cancelled),
}

impl Fired {
    pub(super) fn new(call: &WorkerCall, params: &'static [Param], outcome: &Outcome) -> Self {
        let end = match outcome {
            Outcome::Reply(body) => End::Returned(body.clone()),
            Outcome::Done => End::Done,
            Outcome::Response(response) => match response.fault() {
                Some(fault) => End::Failed(fault.clone()),
                None => End::Done,
            },
            Outcome::Failed(verdict) => End::Failed(verdict.fault().clone()),
            Outcome::Batch(verdicts) => match verdicts.iter().flatten().next() {
                Some(verdict) => End::Failed(verdict.fault().clone()),
                None => End::Done,
            },
            Outcome::Fault { fault, .. } => End::Failed((**fault).clone()),
            Outcome::Cancelled(reason) => End::Cancelled(*reason),
        };
        let (context, format, batch) = (call.context.clone(), call.format.clone(), call.batch.clone());
        Self(Arc::new(Inner { context, params, format, batch, end }))
    }

    /// The service.
    pub fn service(&self) -> &'static str {
        self.0.context.service()
    }

    /// The method that fired, by its name on the wire.
    pub fn entrypoint(&self) -> &'static str {
        self.0.context.entrypoint()
    }

    /// The worker's context: its call id and those above it, its context data, its deadline.
    pub fn context(&self) -> &WorkerContext {
        &self.0.context
    }

    /// What the caller passed, by the names of the parameters; those that it left out are not there. Sensitive ones are.
    pub fn arguments(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut request)) = self.0.format.decode_value(self.0.context.body()) else {
            return Map::new();
        };
        let mut arguments = match request.remove("kwargs") {
            Some(Value::Object(named)) => named,
            _ => Map::new(),
        };
        if let Some(Value::Array(placed)) = request.remove("args") {
            let names = self.0.params.iter().map(|param| param.name.to_owned());
            arguments.extend(names.zip(placed));
        }
        arguments
    }

    /// One argument, by its parameter's name.
    pub fn argument(&self, name: &str) -> Option<Value> {
        self.arguments().remove(name)
    }

    /// The payload of the message that fired it; of a batch a list, `payload::<Vec<T>>()`, of those that could not be read too.
    ///
    /// # Errors
    ///
    /// Where it is no `T`, and where the clock fired it.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        let Inner { batch, context, format, .. } = &*self.0;
        let payload = if batch.is_empty() {
            format.decode(context.body()).map_err(|error| error.to_string())
        } else {
            let values: Result<Vec<Value>, _> = batch.iter().map(RawDelivery::decode).collect();
            values
                .map_err(|error| error.to_string())
                .and_then(|values| T::deserialize(Value::Array(values)).map_err(|error| error.to_string()))
        };
        payload.map_err(|error| Error::msg(format!("{self}, but it had no such payload: {error}")))
    }

    /// Whether the method returned a value, or `Ok`, and no hook failed.
    pub fn is_ok(&self) -> bool {
        matches!(self.0.end, End::Returned(_) | End::Done)
    }

    /// What the method returned.
    ///
    /// # Errors
    ///
    /// Where it failed or was cancelled, with how it ended; where the value is no `T`.
    pub fn returned<T: DeserializeOwned>(&self) -> Result<T> {
        let End::Returned(body) = &self.0.end else { return Err(Error::msg(self.to_string())) };
        let reply = decode_reply::<T>(&self.0.format, body);
        match reply.map_err(|error| Error::msg(format!("{self}, but no such value: {error}")))? {
            Ok(value) => Ok(value),
            Err(fault) => Err(Error::msg(fault.to_string())),
        }
    }

    /// The fault that it answered with: of an error, a panic, arguments that do not fit, or a hook.
    pub fn fault(&self) -> Option<&Fault> {
        match &self.0.end {
            End::Failed(fault) => Some(fault),
            End::Returned(_) | End::Done | End::Cancelled(_) => None,
        }
    }

    /// The error that the method returned, where it is an `E`.
    pub fn error<E: ServiceError>(&self) -> Option<E> {
        self.fault().and_then(E::from_fault)
    }

    /// Why the method was dropped, if it was: its deadline, its connection, a stop.
    pub fn cancelled(&self) -> Option<Cancelled> {
        match self.0.end {
            End::Cancelled(reason) => Some(reason),
            End::Returned(_) | End::Done | End::Failed(_) => None,
        }
    }
}

/// `orders.place returned`, `orders.place failed: …`, `orders.place was dropped: …`.
impl fmt::Display for Fired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ", self.service(), self.entrypoint())?;
        match &self.0.end {
            End::Returned(_) | End::Done => f.write_str("returned"),
            End::Failed(fault) => write!(f, "failed: {fault}"),
            End::Cancelled(reason) => write!(f, "was dropped: {reason}"),
        }
    }
}

impl fmt::Debug for Fired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No arguments: they may be secrets, and test logs are kept.
        f.debug_struct("Fired").field("call_id", &self.0.context.call_id()).field("end", &self.to_string()).finish()
    }
}
