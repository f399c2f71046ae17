//! Requests that are none, or that no method takes.

use std::time::Duration;

use kinoko::{
    prelude::*,
    protocol::{Message, Properties, Value},
};
use kinoko_tests::{eventually, unique};

use crate::{
    sender::{Sender, request, text},
    target::{Requests, RequestsClient},
};

const NAME: &str = "hostile_requests";
const JSON: &str = "application/json";
const MSGPACK: &str = "application/x-msgpack";
const DEEP: usize = 100_000;
/// A refusal repeats little of what it refuses.
const LONGEST_REFUSAL: usize = 16 * 1024;

/// `{"args": [], "kwargs": {"value": …}}` around the bytes of a value.
fn pack(value: &[u8]) -> Vec<u8> {
    [b"\x82\xa4args\x90\xa6kwargs\x81\xa5value".as_slice(), value].concat()
}

fn json(value: &str) -> Vec<u8> {
    format!(r#"{{"args": [], "kwargs": {{"value": {value}}}}}"#).into_bytes()
}

fn deep_json() -> String {
    format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP))
}

fn deep_pack(head: &[u8]) -> Vec<u8> {
    [head.repeat(DEEP), vec![0xc0]].concat()
}

/// The method, the content type, the body, and what the refusal says.
fn refused() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    const DEEPER: &str = "nests deeper than 100 levels";
    const ENDS: &str = "the body ends before its values do";
    let long = "x".repeat(1024 * 1024);
    let mut all = vec![
        ("echo", JSON, json(&deep_json()), DEEPER),
        ("echo", JSON, json(&"[".repeat(DEEP)), DEEPER),
        ("echo", JSON, json(&format!("{}1{}", r#"{"a":"#.repeat(DEEP), "}".repeat(DEEP))), DEEPER),
        ("typed", JSON, format!(r#"{{"args":[1],"kwargs":{{}},"more":{}}}"#, deep_json()).into_bytes(), DEEPER),
        (
            "typed",
            JSON,
            format!(r#"{{"args":[1],"kwargs":{{"tree":{}1"#, r#"{"Not":"#.repeat(DEEP)).into_bytes(),
            DEEPER,
        ),
        ("no_such", JSON, json(&deep_json()), "MethodNotFound"),
        ("echo", MSGPACK, pack(&deep_pack(&[0x91])), DEEPER),
        ("echo", MSGPACK, pack(&deep_pack(b"\x81\xa1a")), DEEPER),
        (
            "typed",
            MSGPACK,
            [b"\x83\xa4args\x91\x01\xa6kwargs\x80\xa4more".as_slice(), &deep_pack(&[0x91])].concat(),
            DEEPER,
        ),
        (
            "typed",
            MSGPACK,
            [b"\x82\xa4args\x91\x01\xa6kwargs\x81\xa4tree".as_slice(), &deep_pack(b"\x81\xa3Not")].concat(),
            DEEPER,
        ),
        // Texts that are no UTF-8, numbers that are none, keys that are no texts.
        ("echo", JSON, json("\"\u{1}\""), "MalformedRequest"),
        ("echo", JSON, [b"{\"args\":[\"".as_slice(), b"\xff\xfe", b"\"],\"kwargs\":{}}"].concat(), "MalformedRequest"),
        ("typed", JSON, br#"{"args":[NaN],"kwargs":{}}"#.to_vec(), "IncorrectSignature"),
        ("echo", JSON, json("1e999999"), "MalformedRequest"),
        ("echo", JSON, b"\xef\xbb\xbf{}".to_vec(), "MalformedRequest"),
        ("echo", MSGPACK, pack(b"\xa2\xff\xfe"), "MalformedRequest"),
        ("echo", MSGPACK, pack(b"\xc1"), "MalformedRequest"),
        ("echo", MSGPACK, pack(b"\x81\x90\x01"), "expected a string key"),
        ("echo", MSGPACK, b"\x82\xa4args\x90\xa6kwargs\x81\x01\x02".to_vec(), "IncorrectSignature"),
        ("echo", MSGPACK, pack(b"\x01\x01"), "bytes after the end"),
        ("echo", "application/octet-stream", vec![0; 100], "no codec"),
        ("echo", "", vec![], "no codec"),
        ("echo", "\u{0}\u{7f}ü; charset=\"", vec![], "no codec"),
        ("echo", JSON, vec![], "MalformedRequest"),
        ("echo", MSGPACK, vec![], ENDS),
        // What is refused is not repeated at length.
        (
            "typed",
            JSON,
            format!(r#"{{"args":["{long}"],"kwargs":{{}}}}"#).into_bytes(),
            "argument `n`: invalid type: string",
        ),
        ("typed", JSON, format!(r#"{{"args":[1],"kwargs":{{"{long}":1}}}}"#).into_bytes(), "unknown argument `xxx"),
        (
            "typed",
            JSON,
            format!(r#"{{"args":[1],"kwargs":{{"lines":[{{"{long}":1}}]}}}}"#).into_bytes(),
            "unknown field `xxx",
        ),
        (
            "typed",
            JSON,
            format!(r#"{{"args":[1],"kwargs":{{"tree":{{"{long}":1}}}}}}"#).into_bytes(),
            "unknown variant `xxx",
        ),
        // A small one is told with its place, again without repeating it.
        (
            "typed",
            JSON,
            format!(r#"{{"args":[1],"kwargs":{{"map":{{"{}":"x"}}}}}}"#, &long[..30_000]).into_bytes(),
            "argument `map.",
        ),
        // Doubled keys, arguments by thousands.
        ("echo", JSON, br#"{"args": [1], "args": [2], "kwargs": {}}"#.to_vec(), "given twice"),
        ("echo", JSON, br#"{"args": [1], "kwargs": {"value": 1}}"#.to_vec(), "given twice"),
        (
            "echo",
            JSON,
            format!(r#"{{"args":[1{}],"kwargs":{{}}}}"#, ",1".repeat(100_000)).into_bytes(),
            "takes 1 argument, got 100001",
        ),
    ];
    // Lengths of 4 GiB, of a text, bytes, an extension, a list and a map.
    for marker in [0xdb, 0xc6, 0xc9, 0xdd, 0xdf] {
        let claim = [marker, 0xff, 0xff, 0xff, 0xff, 0x01];
        all.push(("echo", MSGPACK, pack(&claim), ENDS));
        all.push(("typed", MSGPACK, [b"\x82\xa4args\x91\x01\xa6kwargs\x81\xa3ids".as_slice(), &claim].concat(), ENDS));
        all.push(("typed", MSGPACK, claim.to_vec(), ENDS));
        all.push(("borrowed", MSGPACK, [b"\x82\xa4args".as_slice(), &claim].concat(), ENDS));
    }
    all
}

pub(crate) async fn what_no_method_takes_is_refused(broker: &str) {
    let app = App::new().broker(broker).service::<Requests>().start().await.unwrap();
    let sender = Sender::open(broker).await;
    for (method, content_type, body, expected) in refused() {
        let start = text(&Message { body: body[..body.len().min(60)].to_vec().into(), ..Message::default() });
        let reply = sender.ask(request(NAME, method, content_type, body)).await;
        let answer = text(&reply);
        assert!(answer.contains(expected), "{method} {content_type} {start}: {}", &answer[..answer.len().min(500)]);
        assert!(reply.body.len() < LONGEST_REFUSAL, "{method} {start}: {} bytes", reply.body.len());
        assert_eq!(reply.properties.headers.iter().count(), 0);
    }
    assert_eq!(app.client::<RequestsClient>().echo(Value::from(7)).await.unwrap(), 7);
    sender.drained(NAME).await;
    eventually(Duration::from_secs(10), "the end of all workers", || async {
        (app.running_workers() == 0).then_some(())
    })
    .await;
    sender.close().await;
    app.stop().await.unwrap();
}

pub(crate) async fn what_is_no_text_of_ours_is_read_leniently(broker: &str) {
    let app = App::new().broker(broker).service::<Requests>().start().await.unwrap();
    let sender = Sender::open(broker).await;
    let good = || request(NAME, "context", JSON, r#"{"args": [], "kwargs": {}}"#);
    let with = |change: &dyn Fn(&mut Properties)| {
        let mut message = good();
        change(&mut message.properties);
        message
    };
    let answered: Vec<(&str, Message)> = vec![
        ("a stack of commas", with(&|p| p.app_id = Some(",".repeat(255).into()))),
        ("a stack of nulls", with(&|p| p.headers.set("nameko.call_id_stack", Value::Null))),
        ("a stack that is a number", with(&|p| p.headers.set("nameko.call_id_stack", 7))),
        ("a stack of lists", with(&|p| p.headers.set("nameko.call_id_stack", vec![Value::Array(vec![])]))),
        ("an empty key of context", with(&|p| p.headers.set("nameko.", "x"))),
        ("the longest correlation id", with(&|p| p.correlation_id = Some("i".repeat(255).into()))),
        ("an empty correlation id", with(&|p| p.correlation_id = Some("".into()))),
        ("a timestamp at the end of time", with(&|p| p.timestamp_ms = Some(u64::MAX))),
        ("a budget as long as AMQP allows", with(&|p| p.expiration = Some(Duration::from_millis(u64::from(u32::MAX))))),
        ("a type that nobody asked for", with(&|p| p.kind = Some("t".repeat(255).into()))),
        (
            "a content type with parameters",
            with(&|p| p.content_type = Some(format!("{JSON};{}", "x".repeat(200)).into())),
        ),
        ("an encoding that is none", with(&|p| p.content_encoding = Some("\u{1}".into()))),
    ];
    for (what, message) in answered {
        let reply = sender.ask(message).await;
        assert!(text(&reply).contains(r#""error":null"#), "{what}: {}", text(&reply));
    }
    sender.drained(NAME).await;
    sender.close().await;
    app.stop().await.unwrap();
}

/// Replies to where the request says: to nobody, to a service, to the service itself.
pub(crate) async fn replies_go_wherever_they_are_told_and_nothing_comes_of_it(broker: &str) {
    let app = App::new().broker(broker).service::<Requests>().start().await.unwrap();
    let sender = Sender::open(broker).await;
    for reply_to in [
        "".to_owned(),
        unique("nobody"),
        format!("rpc-{NAME}"),
        format!("kinoko.rpc-{NAME}"),
        format!("{NAME}.echo"),
        "amq.rabbitmq.reply-to.g1h2AAAA".to_owned(),
        "amq.gen-nobody".to_owned(),
        "r".repeat(255),
    ] {
        for short in [false, true] {
            let mut message = request(NAME, "echo", JSON, json("1"));
            message.properties.reply_to = Some(reply_to.clone().into());
            if short {
                message.exchange = "".into();
                message.routing_key = format!("kinoko.rpc-{NAME}").into();
                message.properties.kind = Some("echo".into());
            }
            sender.publish(message).await;
        }
    }
    // Behind all of them in the queue.
    assert_eq!(app.client::<RequestsClient>().echo(Value::from(7)).await.unwrap(), 7);
    let reply = sender.ask(request(NAME, "echo", JSON, json("8"))).await;
    assert!(text(&reply).contains(r#"{"result":8"#));
    sender.drained(NAME).await;
    sender.close().await;
    app.stop().await.unwrap();
}
