//! What a caller is told who may not: that, and nothing of what is wrong with its token. The log has it.

use std::borrow::Cow;

use serde_json::{Map, json};

use super::{Unverified, identity::Lack};
use crate::{context::WorkerContext, protocol::Fault};

/// Nobody says who calls.
#[cold]
pub(super) fn nobody(cx: &WorkerContext) -> Fault {
    tracing::warn!(
        service = cx.service(),
        method = cx.entrypoint(),
        call_id = cx.call_id(),
        "a call without a token is refused"
    );
    refused(Fault::UNAUTHENTICATED, "a token is needed", None)
}

/// Who calls is not to be believed.
#[cold]
pub(super) fn unauthenticated(cx: &WorkerContext, refusal: &Unverified) -> Fault {
    let (service, method, call_id) = (cx.service(), cx.entrypoint(), cx.call_id());
    match refusal {
        Unverified::Invalid(invalid) => {
            tracing::warn!(service, method, call_id, %invalid, "a call is refused for its token");
            refused(Fault::UNAUTHENTICATED, "the token is not valid", Some(Map::from_iter([error("invalid_token")])))
        }
        Unverified::Unavailable(error) => {
            tracing::error!(service, method, call_id, error = error.chain(), "a token cannot be verified");
            Fault {
                code: Some("AUTH_UNAVAILABLE".into()),
                retryable: Some(true),
                http: Some(503),
                grpc: Some("UNAVAILABLE".into()),
                ..Fault::internal("AuthUnavailable", "the token cannot be verified now")
            }
        }
    }
}

/// Who calls may not.
#[cold]
pub(super) fn forbidden(cx: &WorkerContext, subject: &str, lack: Lack) -> Fault {
    let (service, method, call_id) = (cx.service(), cx.entrypoint(), cx.call_id());
    tracing::warn!(service, method, call_id, subject, %lack, "a call is refused: its token lacks what the method's guard asks for");
    let mut data = Map::from_iter([error("insufficient_scope")]);
    if let Lack::Scope(scopes) = lack {
        data.insert("scope".into(), scopes.join(" ").into());
    }
    refused(Fault::FORBIDDEN, "the token does not allow this", Some(data))
}

/// Nobody may, since nothing says who may.
#[cold]
pub(super) fn closed(cx: &WorkerContext) -> Fault {
    let (service, method, call_id) = (cx.service(), cx.entrypoint(), cx.call_id());
    tracing::error!(service, method, call_id, "a call is refused: the method has neither `#[guard]` nor `#[public]`");
    refused(Fault::FORBIDDEN, "nobody may call this", None)
}

/// As RFC 6750 names it, 3.1.
fn error(name: &str) -> (String, crate::protocol::Value) {
    ("error".to_owned(), json!(name))
}

fn refused(
    kind: (&'static str, &'static str, u16),
    text: &'static str,
    data: Option<Map<String, crate::protocol::Value>>,
) -> Fault {
    let mut fault = Fault::denied(kind, Cow::Borrowed(text));
    fault.data = data;
    fault
}
