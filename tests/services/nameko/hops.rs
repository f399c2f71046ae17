//! Python calls Rust calls Python: what passes on.

use std::convert::Infallible;

use kinoko::{CallError, Settings, prelude::*, protocol::Value};
use kinoko_tests::{Collector, Python, amqp_uri};
use serde_json::{Map, json};

use super::with_both_namekos;

with_both_namekos! {
    context_and_call_ids_pass_on_over_three_hops
    the_call_id_stack_is_trimmed_as_nameko_trims_it
    context_comes_from_rust_and_our_own_headers_stay
    a_trace_goes_on_behind_python
}

#[derive(Dependencies)]
struct Hop {
    services: ServiceProxy,
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum HopError {
    #[error(transparent)]
    #[fault(forward)]
    Call(#[from] CallError<Infallible>),
}

#[service(name = "nameko_hop")]
impl Hop {
    /// Calls on, as it is told.
    #[rpc]
    async fn relay(&self, service: String, method: String, args: Vec<Value>) -> Result<Value, HopError> {
        let call = self.services.call(service, method);
        Ok(args.into_iter().fold(call, |call, arg| call.arg(arg)).await?)
    }

    #[rpc]
    fn seen_context(&self, #[inject] cx: WorkerContext) -> Value {
        let mut seen: Map<_, _> = cx.data().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        seen.insert("call_id_stack".into(), cx.call_id_stack().into());
        seen.into()
    }
}

const PEER: &str = "nameko_hop_peer";

/// `{service}.{method}` of each call id.
fn path(seen: &Value) -> Vec<String> {
    let ids = seen["call_id_stack"].as_array().unwrap();
    ids.iter()
        .map(|id| {
            let id = id.as_str().unwrap();
            id.rsplit_once('.').map_or(id, |(path, _)| path).to_owned()
        })
        .collect()
}

async fn context_and_call_ids_pass_on_over_three_hops(python: Python) {
    let _peer = python.serve(PEER);
    let app = App::new().broker(amqp_uri()).service::<Hop>().start().await.unwrap();
    let context = json!({"language": "de", "tenant": "00-1-2-01", "user": {"id": 7}});
    let relay = json!({
        "service": PEER, "method": "relay", "args": ["nameko_hop", "relay", [PEER, "seen_context", []]]
    });
    let seen = python.calls_in_background(&["--context", &context.to_string()], vec![relay]).await.remove(0);
    let seen = &seen["result"];
    for (key, value) in context.as_object().unwrap() {
        assert_eq!(&seen[key], value, "{key} in {seen}");
    }
    let path = path(seen);
    assert!(path[0].starts_with("standalone_rpc_"), "{path:?}");
    assert_eq!(path[1..], ["nameko_hop_peer.relay", "nameko_hop.relay", "nameko_hop_peer.seen_context"]);
    app.stop().await.unwrap();
}

async fn the_call_id_stack_is_trimmed_as_nameko_trims_it(python: Python) {
    let _peer = python.serve(PEER);
    let app = App::new().broker(amqp_uri()).service::<Hop>().start().await.unwrap();
    // Eleven ids travel. Nameko counts its own among them when it tells.
    for (last, expected) in [("nameko_hop", 12), (PEER, 11)] {
        // Python and Rust in turn, six times each, and at the end the one that tells.
        let mut call = json!([last, "seen_context", []]);
        for level in 0..12 {
            call = json!([if level % 2 == 0 { "nameko_hop" } else { PEER }, "relay", call]);
        }
        let call = json!({"service": call[0], "method": call[1], "args": call[2]});
        let seen = python.calls_in_background(&[], vec![call]).await.remove(0);
        let path = path(&seen["result"]);
        assert_eq!(path.len(), expected, "{path:?}");
        assert_eq!(path[expected - 2..], ["nameko_hop.relay".to_owned(), format!("{last}.seen_context")]);
        assert!(!path[0].starts_with("standalone"), "the oldest are left out: {path:?}");
    }
    app.stop().await.unwrap();
}

async fn context_comes_from_rust_and_our_own_headers_stay(python: Python) {
    let _peer = python.serve(PEER);
    let app = App::new().broker(amqp_uri()).service::<Hop>().start().await.unwrap();
    let seen = app
        .proxy()
        .call("nameko_hop", "relay")
        .arg(PEER)
        .arg("seen_context")
        .arg(json!([]))
        .context("language", "fr")
        .context("limits", json!({"cents": [1, 2.5, null]}))
        .header("x-private", "stays")
        .await
        .unwrap();
    let keys: Vec<_> = seen.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["call_id_stack", "language", "limits", "traceparent"], "and nothing of kinoko's own");
    assert_eq!((&seen["language"], &seen["limits"]), (&json!("fr"), &json!({"cents": [1, 2.5, null]})));
    assert_eq!(path(&seen).len(), 3);
    app.stop().await.unwrap();
}

/// Python, which knows nothing of traces, passes on what it was given.
async fn a_trace_goes_on_behind_python(python: Python) {
    let _peer = python.serve(PEER);
    let collector = Collector::start().await;
    let mut settings = Settings::default();
    settings.set("otel.endpoint", collector.endpoint());
    let app = App::new().broker(amqp_uri()).settings(settings).service::<Hop>().start().await.unwrap();
    let further = json!(["nameko_hop", "seen_context"]);
    app.proxy().call("nameko_hop", "relay").arg(PEER).arg("relay").arg(further).await.unwrap();
    app.stop().await.unwrap();
    let spans = collector.spans();
    let find = |name: &str, kind: i32| {
        let is_it = |found: &&kinoko_tests::Collected| found.span.name == name && found.span.kind == kind;
        spans.iter().find(is_it).unwrap_or_else(|| panic!("no {name}: {spans:?}"))
    };
    // 2: server, 3: client.
    let (first, call, last) =
        (find("nameko_hop/relay", 2), find("nameko_hop_peer/relay", 3), find("nameko_hop/seen_context", 2));
    assert_eq!(call.span.parent_span_id, first.span.span_id);
    assert_eq!((last.trace_id(), &last.span.parent_span_id), (first.trace_id(), &call.span.span_id));
}
