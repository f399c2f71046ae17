//! Replies that nobody asked for.

use std::{future::IntoFuture, time::Duration};

use kinoko::{
    CallError, Client,
    protocol::{Message, Name, Properties},
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology},
};
use kinoko_tests::{Deliveries, captured_log, eventually, soon, unique};

use crate::sender::Sender;

/// A service that a test plays itself.
struct Played {
    name: String,
    requests: Deliveries,
}

impl Played {
    async fn start(sender: &Sender) -> Self {
        let name = unique("hostile_played");
        let queue = Name::from(format!("rpc-{name}"));
        let topology = Topology {
            exchanges: vec![Exchange::durable("nameko-rpc", ExchangeKind::Topic)],
            queues: vec![Queue::durable(queue.clone()).expires(Duration::from_secs(60))],
            bindings: vec![Binding::new("nameko-rpc", queue.clone(), format!("{name}.*"))],
        };
        soon("a declaration", sender.transport.declare(topology)).await.unwrap();
        let (sink, requests) = Deliveries::new();
        soon("a consumer", sender.transport.consume(queue, 10, sink)).await.unwrap();
        Self { name, requests }
    }
}

fn reply(to: &Name, id: Option<&str>, content_type: &str, body: &[u8]) -> Message {
    Message {
        routing_key: to.clone(),
        properties: Properties {
            content_type: Some(content_type.to_owned().into()),
            correlation_id: id.map(|id| id.to_owned().into()),
            ..Properties::default()
        },
        body: body.to_vec().into(),
        ..Message::default()
    }
}

const JSON: &str = "application/json";
const SEVEN: &[u8] = br#"{"result": 7, "error": null}"#;

pub(crate) async fn forged_replies_are_dropped(broker: &str) {
    captured_log();
    let sender = Sender::open(broker).await;
    let service = Played::start(&sender).await;
    let client = Client::connect(broker).await.unwrap();
    let pending = client.proxy().call(service.name.clone(), "seven");
    let pending = tokio::spawn(pending.into_future());
    let request = service.requests.next().await;
    let properties = &request.message().properties;
    let (to, id) = (properties.reply_to.clone().unwrap(), properties.correlation_id.clone().unwrap());
    // The place in the table and not the secret; and everything else that is not the id.
    let near = format!("{}{}", &id[..9], "0000-4000-8000-000000000000");
    for forged in [None, Some(""), Some("0"), Some(&*near), Some(&id[..35]), Some("ü"), Some(&*"f".repeat(255))] {
        sender.publish(reply(&to, forged, JSON, SEVEN)).await;
        sender.publish(reply(&to, forged, "x/y", b"\xff")).await;
    }
    for number in 0..100_u128 {
        sender.publish(reply(&to, Some(&uuid::Uuid::from_u128(number << 96).to_string()), JSON, SEVEN)).await;
    }
    assert_eq!(client.pending_calls(), 1);
    // The real one, twice.
    for result in [7, 8] {
        let body = format!(r#"{{"result": {result}, "error": null}}"#);
        sender.publish(reply(&to, Some(&id), JSON, body.as_bytes())).await;
    }
    assert_eq!(pending.await.unwrap().unwrap(), 7);
    request.ack();
    assert_eq!(client.pending_calls(), 0);
    // 115 replies that nobody waits for are seven lines.
    eventually(Duration::from_secs(10), "the line of the 64th", || async {
        captured_log().contains("count=64").then_some(())
    })
    .await;
    assert!(!captured_log().contains("count=65"));
    // And the client goes on.
    let pending = client.proxy().call(service.name.clone(), "seven");
    let pending = tokio::spawn(pending.into_future());
    let request = service.requests.next().await;
    let properties = request.message().properties.clone();
    soon(
        "a reply",
        request.reply(reply(&properties.reply_to.unwrap(), properties.correlation_id.as_deref(), JSON, SEVEN)),
    )
    .await
    .unwrap();
    assert_eq!(pending.await.unwrap().unwrap(), 7);
    client.close().await;
    sender.close().await;
}

pub(crate) async fn a_forged_reply_with_the_right_id_ends_its_call(broker: &str) {
    const MSGPACK: &str = "application/x-msgpack";
    let deep_json = "[".repeat(100_000);
    let deep = |key: &str| format!(r#"{{"{key}": {deep_json}"#).into_bytes();
    let deep_pack = [b"\x82\xa6result\xc0\xa5error\x81\xa4data".as_slice(), &b"\x81\xa1a".repeat(100_000)].concat();
    let sender = Sender::open(broker).await;
    let service = Played::start(&sender).await;
    let client = Client::connect(broker).await.unwrap();
    for (content_type, body, expected) in [
        (JSON, Vec::new(), "EOF"),
        (JSON, b"\xff\xff".to_vec(), "expected value"),
        (JSON, b"{}".to_vec(), "missing field `result`"),
        (JSON, br#"{"error": 7}"#.to_vec(), "invalid type: integer `7`, expected struct Fault"),
        (JSON, deep("result"), "nests deeper"),
        (JSON, deep("error"), "nests deeper"),
        (JSON, deep("more"), "nests deeper"),
        (MSGPACK, deep_pack, "nests deeper"),
        (MSGPACK, b"\x81\xa6result\xdd\xff\xff\xff\xff\x01".to_vec(), "ends before"),
        (MSGPACK, b"\xdf\xff\xff\xff\xff\xa6result".to_vec(), "ends before"),
        ("x/y", SEVEN.to_vec(), "its content type `x/y` is of no codec"),
        (JSON, format!(r#"{{"error": {{"http": "{}"}}}}"#, "x".repeat(1_000_000)).into_bytes(), "invalid type: string"),
    ] {
        let pending = client.proxy().call(service.name.clone(), "seven");
        let pending = tokio::spawn(pending.into_future());
        let request = service.requests.next().await;
        let properties = request.message().properties.clone();
        let forged = reply(&properties.reply_to.unwrap(), properties.correlation_id.as_deref(), content_type, &body);
        soon("a reply", request.reply(forged)).await.unwrap();
        let error = pending.await.unwrap().unwrap_err();
        let CallError::BadReply(text) = &error else { panic!("{error:?}") };
        assert!(text.contains(expected) && text.len() < 2_000, "{text}");
        assert!(error.may_have_run());
    }
    assert_eq!(client.pending_calls(), 0);
    client.close().await;
    sender.close().await;
}
