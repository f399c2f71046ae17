//! Faults as the status of a call, and back: the code for everybody, the details for who wants to know more.
//!
//! The details are those of Google's APIs, `google.rpc.ErrorInfo`: `reason` is the error's code, `domain` its service, `metadata` has its
//! fields as JSON. So every gRPC client can tell errors apart, and kinoko's gives back the variant.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::protocol::{Fault, Value};

/// The names of what `ErrorInfo` has in its `metadata`.
const DATA: &str = "data";
const EXC_TYPE: &str = "exc_type";
const EXC_PATH: &str = "exc_path";
const RETRYABLE: &str = "retryable";
const CALL_ID: &str = "call_id";

const CODES: [(Code, &str); 16] = [
    (Code::Cancelled, "CANCELLED"),
    (Code::Unknown, "UNKNOWN"),
    (Code::InvalidArgument, "INVALID_ARGUMENT"),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    (Code::NotFound, "NOT_FOUND"),
    (Code::AlreadyExists, "ALREADY_EXISTS"),
    (Code::PermissionDenied, "PERMISSION_DENIED"),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED"),
    (Code::FailedPrecondition, "FAILED_PRECONDITION"),
    (Code::Aborted, "ABORTED"),
    (Code::OutOfRange, "OUT_OF_RANGE"),
    (Code::Unimplemented, "UNIMPLEMENTED"),
    (Code::Internal, "INTERNAL"),
    (Code::Unavailable, "UNAVAILABLE"),
    (Code::DataLoss, "DATA_LOSS"),
    (Code::Unauthenticated, "UNAUTHENTICATED"),
];

/// The name of a code, as the protocol writes it.
pub(super) fn name(code: Code) -> &'static str {
    CODES.iter().find(|(known, _)| *known == code).map_or("OK", |(_, name)| name)
}

/// The code of a fault: its own; else that of its HTTP status; else `INTERNAL` where it is internal, and `FAILED_PRECONDITION` where a
/// service says no without saying more.
fn code(fault: &Fault) -> Code {
    let own = fault.grpc.as_deref().and_then(|own| CODES.iter().find(|(_, name)| *name == own)).map(|(code, _)| *code);
    let code = own.or_else(|| fault.http.and_then(of_http));
    match code {
        // Another service's error, which says to whom it may concern that they are to blame: nobody knows whether that is this caller.
        Some(code) if fault.internal && is_callers(code) => Code::Internal,
        Some(code) => code,
        None if fault.internal => Code::Internal,
        None if fault.is_nameko("MethodNotFound") => Code::Unimplemented,
        None if fault.exc_path.starts_with("nameko.exceptions.") => Code::InvalidArgument,
        None => Code::FailedPrecondition,
    }
}

/// Whether a code says that the caller is to blame.
fn is_callers(code: Code) -> bool {
    !matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Unknown
            | Code::DataLoss
            | Code::Cancelled
    )
}

/// As Google's APIs map them.
fn of_http(status: u16) -> Option<Code> {
    Some(match status {
        400 | 422 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 | 410 => Code::NotFound,
        409 => Code::Aborted,
        412 => Code::FailedPrecondition,
        413 | 429 => Code::ResourceExhausted,
        416 => Code::OutOfRange,
        499 => Code::Cancelled,
        501 => Code::Unimplemented,
        502 | 503 => Code::Unavailable,
        408 | 504 => Code::DeadlineExceeded,
        500..=599 => Code::Internal,
        _ => return None,
    })
}

/// The other way round.
fn to_http(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    }
}

/// Whether a status says more than its code and its text.
pub(super) fn is_told(status: &Status) -> bool {
    status.get_details_error_info().is_some()
}

/// The status that a fault is; of an internal one neither the text nor the data.
pub(super) fn of_fault(fault: &Fault, service: &str, call_id: &str) -> Status {
    let code = code(fault);
    let text = if fault.internal { "the log has more, under the call id" } else { fault.value.as_str() };
    let mut metadata = HashMap::new();
    if !call_id.is_empty() {
        metadata.insert(CALL_ID.to_owned(), call_id.to_owned());
    }
    if !fault.internal {
        metadata.insert(EXC_TYPE.to_owned(), fault.exc_type.to_string());
        metadata.insert(EXC_PATH.to_owned(), fault.exc_path.to_string());
        metadata
            .extend(fault.data.as_ref().and_then(|data| Some((DATA.to_owned(), serde_json::to_string(data).ok()?))));
    }
    metadata.extend(fault.retryable.map(|retryable| (RETRYABLE.to_owned(), retryable.to_string())));
    let reason =
        fault.code.clone().unwrap_or_else(|| if fault.internal { name(code).into() } else { fault.exc_type.clone() });
    let mut details = ErrorDetails::with_error_info(reason, service, metadata);
    if let Some(wait) = fault.retry_after() {
        details.set_retry_info(Some(wait));
    }
    Status::with_error_details(code, text, details)
}

/// The fault that a status tells of: of kinoko's services all that it said, of others the code and the text.
pub(super) fn to_fault(status: &Status) -> Fault {
    let details = status.get_error_details();
    let info = details.error_info();
    let told = |key: &str| info.and_then(|info| info.metadata.get(key));
    let text = |key: &str| told(key).cloned().map(Cow::from);
    let code = name(status.code());
    Fault {
        exc_type: text(EXC_TYPE).unwrap_or(code.into()),
        exc_path: text(EXC_PATH).unwrap_or_default(),
        exc_args: vec![Value::from(status.message())],
        value: status.message().to_owned(),
        code: Some(info.map_or(code.into(), |info| info.reason.clone().into())),
        data: told(DATA).and_then(|data| serde_json::from_str(data).ok()),
        retryable: told(RETRYABLE).map(|told| told == "true"),
        retry_after_ms: details.retry_info().and_then(|info| info.retry_delay).map(milliseconds),
        // By which policies tell an answer from a failure.
        http: Some(to_http(status.code())),
        grpc: Some(code.into()),
        internal: false,
        causes: None,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::protocol::FaultMeta;

    const META: FaultMeta = FaultMeta {
        exc_type: "OutOfStock",
        exc_path: "inventory.exceptions.OutOfStock",
        exc_args: &[],
        code: "OUT_OF_STOCK",
        http: Some(409),
        grpc: Some("FAILED_PRECONDITION"),
        retry: Some(false),
    };

    fn fault(meta: &FaultMeta) -> Fault {
        Fault::of_variant(meta, &"only 2 left", Some(Map::from_iter([("left".to_owned(), json!(2))])))
    }

    #[test]
    fn a_services_own_error_comes_back_with_all_that_it_said() {
        let sent = Fault { retry_after_ms: Some(1500), ..fault(&META) };
        let status = of_fault(&sent, "inventory", "inventory.reserve.1");
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "only 2 left"));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((&*info.reason, &*info.domain), ("OUT_OF_STOCK", "inventory"));
        assert_eq!(info.metadata["call_id"], "inventory.reserve.1");
        let came = to_fault(&status);
        assert_eq!(came.data, sent.data);
        assert_eq!((came.code, came.exc_type, came.exc_path), (sent.code, sent.exc_type, sent.exc_path));
        assert_eq!((came.retryable, came.retry_after_ms), (Some(false), Some(1500)));
    }

    #[test]
    fn the_http_status_says_what_the_code_does_not() {
        for (http, code) in
            [(404, Code::NotFound), (409, Code::Aborted), (503, Code::Unavailable), (418, Code::FailedPrecondition)]
        {
            let meta = FaultMeta { http: Some(http), grpc: None, ..META };
            assert_eq!(of_fault(&fault(&meta), "", "").code(), code, "{http}");
        }
        let silent = FaultMeta { http: None, grpc: None, ..META };
        assert_eq!(of_fault(&fault(&silent), "", "").code(), Code::FailedPrecondition);
    }

    #[test]
    fn of_an_internal_error_nothing_is_told() {
        let told = Fault { internal: true, ..fault(&META) };
        for fault in [told, Fault::panic(&"only 2 left")] {
            let status = of_fault(&fault, "inventory", "inventory.reserve.1");
            assert_eq!(status.code(), Code::Internal);
            let shown = format!("{status:?} {:?}", status.get_error_details());
            assert!(!shown.contains("only 2 left") && shown.contains("inventory.reserve.1"), "{shown}");
        }
        let late = Fault { grpc: Some("DEADLINE_EXCEEDED".into()), ..Fault::internal("Timeout", "slow") };
        assert_eq!(of_fault(&late, "", "").code(), Code::DeadlineExceeded);
    }

    #[test]
    fn a_status_of_somebody_else_is_its_code_and_its_text() {
        let fault = to_fault(&Status::not_found("no such sku"));
        assert_eq!((fault.code.as_deref(), fault.grpc.as_deref()), (Some("NOT_FOUND"), Some("NOT_FOUND")));
        assert_eq!((&*fault.value, fault.data, fault.retryable), ("no such sku", None, None));
    }
}
