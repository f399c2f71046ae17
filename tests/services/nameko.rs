//! Our clients call a real Nameko service, with no setting. (The rest of the wire has tests of its own.)

use std::convert::Infallible;

use kinoko::{CallError, Client, prelude::*};
use kinoko_tests::{Python, amqp_uri, unique};

/// The Python service, as a Rust program would describe it.
#[contract(name = "nameko_typed_peer")]
pub(crate) trait Peer {
    async fn echo(&self, value: String) -> String;
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn fail(&self) -> u32;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(python), ignore = "needs Python with Nameko: run ./test.sh")]
async fn typed_and_untyped_clients_call_a_python_service() {
    let _peer = Python::nameko2().serve("nameko_typed_peer");
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let peer = client.service::<PeerClient>();
    assert_eq!(peer.echo("né\n".into()).await.unwrap(), "né\n");
    assert_eq!(peer.add(40, 2).await.unwrap(), 42);
    match peer.fail().await {
        Err(CallError::Remote(fault)) => {
            assert_eq!((&*fault.exc_type, &*fault.exc_path), ("ValueError", "builtins.ValueError"));
            assert_eq!(fault.to_string(), "ValueError: boom");
        }
        other => panic!("{other:?}"),
    }
    let proxy = client.proxy();
    assert_eq!(proxy.call("nameko_typed_peer", "add").arg(1).await.unwrap(), 3, "Python's own default");
    match proxy.call("nameko_typed_peer", "add").kwarg("c", 1).await {
        Err(CallError::BadRequest(text)) => assert!(text.contains("c"), "{text}"),
        other => panic!("{other:?}"),
    }
    match proxy.call("nameko_typed_peer", "no_such").await {
        Err(CallError::MethodNotFound { method, .. }) => assert_eq!(method, "no_such"),
        other => panic!("{other:?}"),
    }
    client.close().await;
}

#[derive(Dependencies)]
struct Hop {
    services: ServiceProxy,
}

#[service(name = "nameko_hop")]
impl Hop {
    /// Calls on, to the service that it is told.
    #[rpc]
    async fn pass_on(&self, service: String, value: String) -> Result<String, HopError> {
        Ok(self.services.call(service, "echo").arg(value).returning::<String, Infallible>().await?)
    }
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum HopError {
    #[error(transparent)]
    #[fault(forward)]
    Call(#[from] CallError<Infallible>),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(python), ignore = "needs Python with Nameko: run ./test.sh")]
async fn python_calls_rust_which_calls_python() {
    let name = unique("nameko_peer").replace('-', "_");
    let _peer = Python::nameko2().serve(&name);
    let app = App::new().broker(amqp_uri()).service::<Hop>().start().await.unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        Python::nameko2().call(
            "nameko_hop",
            "pass_on",
            serde_json::json!([name, "there and back"]),
            serde_json::json!({}),
        )
    });
    assert_eq!(answer.await.unwrap(), serde_json::json!({"result": "there and back"}));
    app.stop().await.unwrap();
}
