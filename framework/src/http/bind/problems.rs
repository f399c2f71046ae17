//! What is wrong with a request, gathered, and the one fault that says so.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::walk::{Found, MOST};
use crate::{
    http::problem::FieldProblem,
    protocol::{Fault, excerpt},
    service::{FaultKind, Outcome, ParamPlace},
};

/// The code of requests whose parameters do not fit.
pub(super) const INVALID_REQUEST: &str = "INVALID_REQUEST";

/// Everything that is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    fields: Vec<FieldProblem>,
    /// What is wrong with the body as such, where none of it could be read.
    body: Option<(StatusCode, &'static str, String)>,
}

impl Problems {
    /// A parameter, or one of its fields, that stands in the head of the request.
    pub(super) fn named(&mut self, place: ParamPlace, name: &str, found: Found) {
        self.push(FieldProblem {
            place: match place {
                ParamPlace::Path => "path",
                ParamPlace::Query => "query",
                ParamPlace::Header => "header",
                ParamPlace::Cookie => "cookie",
                ParamPlace::Body(_) | ParamPlace::Field(_) => "body",
            }
            .into(),
            name: Some(excerpt(name)),
            pointer: None,
            message: found.message,
            rule: found.rule.into(),
            value: found.value,
        });
    }

    /// A place in the body.
    pub(super) fn body(&mut self, found: Found) {
        self.push(FieldProblem {
            place: "body".into(),
            name: None,
            pointer: Some(excerpt(found.pointer)),
            message: found.message,
            rule: found.rule.into(),
            value: found.value,
        });
    }

    /// The body as such.
    pub(super) fn unreadable(&mut self, status: StatusCode, code: &'static str, rule: &'static str, text: String) {
        self.body(Found { pointer: String::new(), rule, message: text.clone(), value: None });
        self.body = Some((status, code, text));
    }

    fn push(&mut self, field: FieldProblem) {
        if self.fields.len() < MOST {
            self.fields.push(field);
        }
    }

    /// The outcome, if anything is wrong.
    pub(super) fn outcome(self) -> Option<Outcome> {
        let first = self.fields.first()?;
        let (status, code, mut text) = match self.body {
            Some(body) => body,
            None => {
                let place = first.name.as_deref().or(first.pointer.as_deref()).unwrap_or_default();
                let gap = if place.is_empty() { "" } else { " " };
                let text = format!("{}{gap}{place}: {}", first.place, first.message);
                (StatusCode::UNPROCESSABLE_ENTITY, INVALID_REQUEST, text)
            }
        };
        match self.fields.len() {
            1 => {}
            several => text.push_str(&format!(" (and {} more)", several - 1)),
        }
        let errors = serde_json::to_value(&self.fields).unwrap_or_default();
        let fault = Fault {
            code: Some(code.into()),
            http: Some(status.as_u16()),
            grpc: Some("INVALID_ARGUMENT".into()),
            retryable: Some(false),
            data: Some(Map::from_iter([("errors".to_owned(), errors)])),
            ..Fault::nameko("BadRequest", excerpt(text))
        };
        Some(Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Rejected })
    }
}

/// One that is missing.
pub(super) fn missing(pointer: String) -> Found {
    Found { pointer, rule: "required", message: "is required".into(), value: None }
}

/// A value that was found, among others of its list.
pub(super) fn texts(values: impl Iterator<Item = String>) -> Option<Value> {
    /// What is shown of a list.
    const SHOWN: usize = 10;
    let mut values: Vec<_> = values.take(SHOWN).map(|text| Value::from(excerpt(text))).collect();
    if values.len() > 1 { Some(values.into()) } else { values.pop() }
}
