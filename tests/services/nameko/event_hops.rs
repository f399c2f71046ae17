//! Events that cause events, in Python and Rust in turn: what passes on.

use kinoko::{EventDispatcher, prelude::*};
use kinoko_tests::{Python, amqp_uri};
use serde_json::{Value, json};

use super::{
    instance::{Instance, Test, clean},
    with_both_namekos,
};

with_both_namekos! {
    context_and_call_ids_pass_on_over_events
    standalone_dispatchers_send_no_call_ids
}

const PEER: &str = "nameko_event_hop_peer";
const OURS: &str = "nameko_event_hop";

const QUEUES: [&str; 2] =
    ["evt-nameko_event_hop_peer-hop--nameko_event_hop.hop", "evt-nameko_event_hop-hop--nameko_event_hop_peer.hop"];

#[derive(Dependencies)]
struct Hop {
    test: Test,
    events: EventDispatcher,
}

#[service(name = "nameko_event_hop")]
impl Hop {
    /// Dispatches the number less one, as the handler in Python does.
    #[event_handler("nameko_event_hop_peer", "hop")]
    async fn hop(&self, left: u32, #[inject] cx: WorkerContext) -> kinoko::Result<()> {
        self.test.read(&cx, left);
        if left > 0 {
            self.events.dispatch_to(OURS, "hop", &(left - 1)).await?;
        }
        Ok(())
    }
}

fn handlers_of_the_peer() -> Value {
    json!([{"method": "hop", "event": [OURS, "hop"], "hop": "hop"}])
}

/// The ids of a stack without their UUIDs.
fn path(stack: &[String]) -> Vec<&str> {
    stack.iter().map(|id| id.rsplit_once('.').map_or(id.as_str(), |(path, _)| path)).collect()
}

fn stack(told: &Value) -> Vec<String> {
    serde_json::from_value(told["context"]["call_id_stack"].clone()).unwrap()
}

async fn context_and_call_ids_pass_on_over_events(python: Python) {
    clean(&QUEUES, &[PEER, OURS]).await;
    let mut peer = python.handle(PEER, handlers_of_the_peer()).await;
    let mut ours = Instance::of::<Hop>().await;
    let context = json!({"language": "de", "tenant": "00-1-2-01", "user": {"id": 7}});
    let call = json!({"service": PEER, "method": "dispatch", "args": ["hop", [14]]});
    python.calls_in_background(&["--context", &context.to_string()], vec![call]).await;

    let mut before: Option<Vec<String>> = None;
    for left in (0..=14).rev() {
        let (payload, seen, mut stack) = if left % 2 == 0 {
            let told = ours.next().await;
            (told.payload, serde_json::to_value(told.context).unwrap(), told.stack)
        } else {
            let told = peer.next().await;
            (told["payload"].as_str().unwrap().parse().unwrap(), told["context"].clone(), stack(&told))
        };
        assert_eq!(payload, left);
        for (key, value) in context.as_object().unwrap() {
            assert_eq!(&seen[key], value, "{key} in {seen}");
        }
        // Eleven ids travel; an own one comes to them.
        let own = stack.pop().unwrap();
        assert!(own.starts_with(if left % 2 == 0 { "nameko_event_hop.hop." } else { "nameko_event_hop_peer.hop." }));
        match &before {
            None => {
                let path = path(&stack);
                assert!(path[0].starts_with("standalone_rpc_"), "{path:?}");
                assert_eq!(path[1..], ["nameko_event_hop_peer.dispatch"]);
            }
            Some(before) => {
                // Python shows no more than eleven, its own among them.
                let common = stack.len().min(before.len());
                assert!(common >= before.len().min(10), "{before:?} then {stack:?}");
                assert_eq!(stack[stack.len() - common..], before[before.len() - common..], "at {left}");
            }
        }
        stack.push(own);
        before = Some(stack);
    }
    let last = before.unwrap();
    assert!((11..=12).contains(&last.len()), "{last:?}");
    assert!(last.iter().all(|id| id.starts_with("nameko_event_hop")), "the oldest are left out: {last:?}");
    ours.stop().await;
    peer.stop().await;
    clean(&QUEUES, &[PEER, OURS]).await;
}

async fn standalone_dispatchers_send_no_call_ids(python: Python) {
    clean(&QUEUES, &[PEER, OURS]).await;
    let mut peer = python.handle(PEER, handlers_of_the_peer()).await;
    let mut ours = Instance::of::<Hop>().await;
    python.dispatch(PEER, "hop", "[0]").await;
    let told = ours.next().await;
    assert_eq!(path(&told.stack), ["nameko_event_hop.hop"]);
    assert!(told.context.is_empty(), "{told:?}");

    let events = EventDispatcher::connect(&amqp_uri()).await.unwrap();
    let dispatch = events.dispatch_to(OURS, "hop", &0).context("language", "fr").header("x-private", "stays");
    dispatch.await.unwrap();
    let told = peer.next().await;
    assert_eq!(path(&stack(&told)), ["nameko_event_hop_peer.hop"]);
    assert_eq!(told["context"]["language"], "fr");
    events.close().await;
    ours.stop().await;
    peer.stop().await;
    clean(&QUEUES, &[PEER, OURS]).await;
}
