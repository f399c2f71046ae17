//! What is told of a call that has no answer.

use std::convert::Infallible;

use kinoko_text::nearest;
use serde_json::json;

use super::broker;
use crate::{
    Error, ErrorKind,
    client::CallError,
    discovery::Presence,
    protocol::{Fault, Value},
    service::{ServiceDescriptor, description::signature},
};

/// What was called.
pub(super) struct Target {
    pub(super) service: String,
    pub(super) method: String,
}

/// One failed call, for people and for programs.
pub(super) struct Failure {
    fault: Fault,
    /// The error came from the service's own code.
    remote: bool,
    message: String,
    may_have_run: bool,
    hint: Option<String>,
}

impl Failure {
    /// `services` are those of this program, which may be the one that was called; `others` run on the broker.
    pub(super) fn new(
        error: &CallError<Infallible>,
        request: &Target,
        services: &[&ServiceDescriptor],
        others: &[Presence],
    ) -> Self {
        let remote = matches!(error, CallError::Remote(_));
        let fault = match error {
            CallError::Remote(fault) => (**fault).clone(),
            other => other.to_fault(),
        };
        let hint = hint(error, request, services, others);
        Self { fault, remote, message: error.to_string(), may_have_run: error.may_have_run(), hint }
    }

    /// The word by which programs tell failures apart.
    fn code(&self) -> &str {
        match self.fault.code.as_deref() {
            Some(code) => code,
            None => &self.fault.exc_type,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut error = json!({
            "code": self.code(),
            "message": self.message,
            "may_have_run": self.may_have_run,
        });
        let further = [
            ("type", self.remote.then(|| Value::from(&*self.fault.exc_path)).filter(|path| path != "")),
            ("data", self.fault.data.clone().map(Value::Object)),
            ("retryable", self.fault.retryable.map(Value::from)),
            ("hint", self.hint.clone().map(Value::from)),
        ];
        for (key, value) in further {
            if let Some(value) = value {
                error[key] = value;
            }
        }
        json!({ "error": error })
    }

    /// The error that the program ends with.
    pub(super) fn into_error(self, Target { service, method }: &Target) -> Error {
        let mut text = format!("`{service}.{method}`: {}", self.message);
        let mut line = |name: &str, value: &str| text.push_str(&format!("\n  {name}: {value}"));
        line("code", self.code());
        if self.remote && !self.fault.exc_path.is_empty() {
            line("type", &self.fault.exc_path);
        }
        if let Some(data) = &self.fault.data {
            line("data", &Value::Object(data.clone()).to_string());
        }
        line("may have run", if self.may_have_run { "yes" } else { "no" });
        if let Some(retryable) = self.fault.retryable {
            line("safe to repeat", if retryable { "yes" } else { "no" });
        }
        if let Some(hint) = &self.hint {
            line("hint", hint);
        }
        Error::new(ErrorKind::Internal, text)
    }
}

fn hint(
    error: &CallError<Infallible>,
    target: &Target,
    services: &[&ServiceDescriptor],
    others: &[Presence],
) -> Option<String> {
    let service = services.iter().find(|service| service.name == target.service);
    match (error, service) {
        (_, Some(service)) if service.methods.is_empty() => {
            Some("this program has it, and no caller fires its methods: `list` shows what does".to_owned())
        }
        (CallError::UnknownService { .. }, Some(_)) => Some("this program has it: `run` serves it".to_owned()),
        (CallError::UnknownService { did_you_mean: None, .. }, None) => {
            match nearest(&target.service, services.iter().map(|service| service.name)) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None => broker::hint(&target.service, others),
            }
        }
        (CallError::MethodNotFound { .. }, Some(service)) => {
            let names: Vec<_> = service.methods.iter().map(|method| method.name).collect();
            Some(match nearest(&target.method, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", names.join(", ")),
            })
        }
        (CallError::BadRequest(_), Some(service)) => {
            let method = service.methods.iter().find(|method| method.name == target.method)?;
            Some(format!("it is {}", signature(method)))
        }
        _ => None,
    }
}
