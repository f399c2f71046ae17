//! Every kind of error variant, there and back.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]

use kinoko::{Fault, prelude::*};

/// The errors of another service.
#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
enum Inner {
    #[error("gone")]
    #[fault(http = 410, retry = true)]
    Gone,
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum OrderError {
    #[error("only {left} of {sku} left")]
    #[fault(code = "NO_STOCK", http = 409, grpc = "FAILED_PRECONDITION", retry = false, path = "stock.exceptions.OutOfStock")]
    OutOfStock { sku: String, left: u32, r#type: Option<u8> },
    #[error("no such order: {0} {1:?}")]
    UnknownOrder(u64, Vec<String>),
    #[error("closed")]
    Closed,
    #[error("the disk")]
    #[fault(internal)]
    Disk(#[from] std::io::Error),
    #[error(transparent)]
    #[fault(forward)]
    Inner(#[from] CallError<Inner>),
    #[error("named")]
    #[fault(forward)]
    Named { source: CallError<Inner> },
}

/// A struct is an error with one code.
#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
#[error("no {what}")]
#[fault(code = "NONE", http = 404)]
struct Missing {
    what: String,
}

/// Nothing can go wrong.
#[derive(Debug, thiserror::Error, ServiceError)]
enum Never {}

fn back(error: &OrderError) -> (Fault, Option<OrderError>) {
    let fault = error.to_fault();
    let text = serde_json::to_string(&fault).unwrap();
    let fault: Fault = serde_json::from_str(&text).unwrap();
    let error = OrderError::from_fault(&fault);
    (fault, error)
}

fn forwarded(id: u64) -> Result<(), OrderError> {
    if id == 0 { Err(CallError::Service(Inner::Gone))? }
    Ok(())
}

fn main() {
    let (fault, error) = back(&OrderError::OutOfStock { sku: "A".to_owned(), left: 2, r#type: None });
    assert_eq!((&*fault.exc_type, &*fault.exc_path), ("OutOfStock", "stock.exceptions.OutOfStock"));
    assert_eq!((fault.code.as_deref(), fault.http, fault.grpc.as_deref()), (Some("NO_STOCK"), Some(409), Some("FAILED_PRECONDITION")));
    assert_eq!((fault.retryable, &*fault.value), (Some(false), "only 2 of A left"));
    assert_eq!(serde_json::to_value(&fault.data).unwrap(), serde_json::json!({"sku": "A", "left": 2, "type": null}));
    assert!(matches!(error, Some(OrderError::OutOfStock { sku, left: 2, r#type: None }) if sku == "A"));

    let (fault, error) = back(&OrderError::UnknownOrder(7, vec!["x".to_owned()]));
    assert_eq!((fault.code.as_deref(), fault.retryable), (Some("UNKNOWN_ORDER"), None));
    assert_eq!(&*fault.exc_path, concat!(module_path!(), ".UnknownOrder"));
    assert!(matches!(error, Some(OrderError::UnknownOrder(7, words)) if words == ["x"]));

    assert!(matches!(back(&OrderError::Closed).1, Some(OrderError::Closed)));

    let disk = OrderError::from(std::io::Error::other("full"));
    assert!(disk.to_fault().internal);
    let (fault, error) = back(&disk);
    assert!(error.is_none() && fault.code.is_none() && fault.data.is_none());

    let (fault, error) = back(&forwarded(0).unwrap_err());
    assert_eq!((fault.code.as_deref(), fault.http, fault.retryable), (Some("GONE"), Some(410), Some(true)));
    assert!(matches!(error, Some(OrderError::Inner(CallError::Service(Inner::Gone)))));
    let named = OrderError::Named { source: CallError::BadReply("?".to_owned()) };
    assert_eq!(named.to_fault().code.as_deref(), Some("BAD_REPLY"));

    let missing = Missing { what: "key".to_owned() };
    assert_eq!(Missing::from_fault(&missing.to_fault()), Some(missing));
    assert!(Never::from_fault(&Fault::default()).is_none());
    assert!(Inner::from_fault(&Fault::default()).is_none());
    assert!(forwarded(1).is_ok());
}
