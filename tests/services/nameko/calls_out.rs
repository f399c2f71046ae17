//! Our clients call Python's services, with no setting.

use std::time::Duration;

use kinoko::{CallError, Client, prelude::*};
use kinoko_tests::{Python, amqp_uri};
use serde_json::json;

use super::with_both_namekos;

with_both_namekos! {
    typed_and_untyped_clients_call_python
    errors_are_sorted
    exceptions_become_variants_by_their_path
    replies_come_in_any_order_and_deadlines_hold
}

#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
pub(crate) enum PeerError {
    #[error("refused: {reason}, {count} times")]
    #[fault(path = "nameko_service.OrderRefused")]
    Refused { reason: String, count: u32 },
    #[error("sold out")]
    #[fault(path = "nameko_service.SoldOut")]
    SoldOut,
}

/// The Python service, as a Rust program would describe it.
#[contract(name = "nameko_calls_out")]
pub(crate) trait Peer {
    async fn echo(&self, value: String) -> String;
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn fail(&self) -> u32;
    async fn slow(&self, seconds: f64) -> f64;
    async fn refuse(&self, reason: String, count: u32) -> Result<(), PeerError>;
    async fn sold_out(&self) -> Result<(), PeerError>;
}

const NAME: &str = "nameko_calls_out";

async fn typed_and_untyped_clients_call_python(python: Python) {
    let _peer = python.serve(NAME);
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let peer = client.service::<PeerClient>();
    assert_eq!(peer.echo("né\n\u{1f600}".into()).await.unwrap(), "né\n\u{1f600}");
    assert_eq!(peer.add(40, 2).await.unwrap(), 42);
    let proxy = client.proxy();
    assert_eq!(proxy.call(NAME, "add").arg(1).await.unwrap(), 3, "Python's own default");
    assert_eq!(proxy.call(NAME, "add").arg(1).kwarg("b", 5).await.unwrap(), 6);
    let value = json!({"deep": [{"a": null}, [1, -2.5, true]], "": ""});
    assert_eq!(proxy.call(NAME, "echo").arg(&value).await.unwrap(), value);
    client.close().await;
}

async fn errors_are_sorted(python: Python) {
    let _peer = python.serve(NAME);
    let client = Client::connect(&amqp_uri()).await.unwrap();
    match client.service::<PeerClient>().fail().await {
        Err(CallError::Remote(fault)) => {
            assert_eq!((&*fault.exc_type, &*fault.exc_path), ("ValueError", "builtins.ValueError"));
            assert_eq!((fault.to_string(), &fault.exc_args[..]), ("ValueError: boom".to_owned(), &[json!("boom")][..]));
        }
        other => panic!("{other:?}"),
    }
    let proxy = client.proxy();
    match proxy.call(NAME, "add").kwarg("c", 1).await {
        Err(CallError::BadRequest(text)) => assert!(text.contains('c'), "{text}"),
        other => panic!("{other:?}"),
    }
    match proxy.call(NAME, "no_such").await {
        Err(CallError::MethodNotFound { method, .. }) => assert_eq!(method, "no_such"),
        other => panic!("{other:?}"),
    }
    match proxy.call(NAME, "evaluate").arg("object()").await {
        Err(CallError::Remote(fault)) => {
            assert_eq!(fault.exc_path, "nameko.exceptions.UnserializableValueError");
            assert!(fault.value.starts_with("Unserializable value: `<object object"), "{fault}");
        }
        other => panic!("{other:?}"),
    }
    // An error of the service that Python's service called, and let through.
    match proxy.call(NAME, "relay").arg(NAME).arg("fail").await {
        Err(CallError::Remote(fault)) => assert_eq!(fault.to_string(), "RemoteError: ValueError boom"),
        other => panic!("{other:?}"),
    }
    match proxy.call(NAME, "relay").arg("nameko_nobody").arg("x").await {
        Err(CallError::Remote(fault)) => {
            assert_eq!(fault.to_string(), "UnknownService: Unknown service `nameko_nobody`")
        }
        other => panic!("{other:?}"),
    }
    match proxy.call("nameko_nobody", "x").await {
        Err(CallError::UnknownService { service, .. }) => assert_eq!(service, "nameko_nobody"),
        other => panic!("{other:?}"),
    }
    client.close().await;
}

async fn exceptions_become_variants_by_their_path(python: Python) {
    let _peer = python.serve(NAME);
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let peer = client.service::<PeerClient>();
    // Nameko makes a text of the count.
    match peer.refuse("too late".into(), 7).await {
        Err(CallError::Service(error)) => {
            assert_eq!(error, PeerError::Refused { reason: "too late".into(), count: 7 });
        }
        other => panic!("{other:?}"),
    }
    match peer.sold_out().await {
        Err(CallError::Service(error)) => assert_eq!(error, PeerError::SoldOut),
        other => panic!("{other:?}"),
    }
    client.close().await;
}

async fn replies_come_in_any_order_and_deadlines_hold(python: Python) {
    let _peer = python.serve(NAME);
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let peer = client.service::<PeerClient>();
    let slow = peer.slow(0.5).send().await.unwrap();
    let quick = peer.slow(0.0).send().await.unwrap();
    assert_eq!((quick.await.unwrap(), slow.await.unwrap()), (0.0, 0.5));
    let error = peer.slow(0.5).timeout(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error.to_string(), "`nameko_calls_out.slow` did not answer within 100ms");
    assert_eq!(peer.add(1, 1).await.unwrap(), 2, "the late reply reaches nobody else");
    client.close().await;
}
