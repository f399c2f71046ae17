//! Codecs by content type; the reply in the request's own.

use bytes::Bytes;
use kinoko::{
    codec::{Codec, Decode, DecodeError, EncodeError},
    prelude::*,
    protocol::{Message, Properties},
    transport::{TransportOptions, connect},
};
use kinoko_tests::{Replies, unique};

#[derive(Dependencies)]
struct Codecs;

#[service(name = "codecs")]
impl Codecs {
    #[rpc]
    fn double(&self, n: u32) -> u32 {
        n * 2
    }
}

/// JSON, reversed.
struct Backwards;

impl Codec for Backwards {
    fn content_type(&self) -> &'static str {
        "application/x-backwards"
    }

    fn encode(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = serde_json::to_vec(value).map_err(|error| EncodeError(error.to_string()))?;
        bytes.reverse();
        Ok(bytes)
    }

    fn decode<'de>(&self, body: &'de [u8], decode: Decode<'_, 'de>) -> Result<(), DecodeError> {
        let forwards: Vec<u8> = body.iter().rev().copied().collect();
        let value: serde_json::Value = serde_json::from_slice(&forwards)
            .map_err(|error| DecodeError { malformed: true, text: error.to_string() })?;
        decode(&mut <dyn erased_serde::Deserializer<'_>>::erase(value))
    }
}

/// Sends one request as it stands and gives the reply.
async fn raw(broker: &str, content_type: Option<&'static str>, body: impl Into<Bytes>) -> Message {
    let transport = connect(broker, TransportOptions::default()).await.unwrap();
    let (sink, replies) = Replies::new();
    let requester = transport.open_requester("raw", sink).await.unwrap();
    let properties = Properties {
        content_type: content_type.map(Into::into),
        correlation_id: Some("1".into()),
        ..Properties::default()
    };
    let message =
        Message { exchange: "nameko-rpc".into(), routing_key: "codecs.double".into(), properties, body: body.into() };
    requester.request(message).await.unwrap();
    let reply = replies.next().await;
    transport.close().await;
    reply
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

#[tokio::test]
async fn a_reply_comes_in_the_codec_of_its_request() {
    let broker = format!("memory://{}", unique("codecs"));
    let app = App::new().broker(&*broker).codec(Backwards).service::<Codecs>().start().await.unwrap();
    let reply = raw(&broker, Some("application/json"), r#"{"args": [4], "kwargs": {}}"#).await;
    assert_eq!(text(&reply), r#"{"result":8,"error":null}"#);
    assert_eq!(reply.properties.content_type.as_deref(), Some("application/json"));
    assert_eq!(reply.properties.content_encoding.as_deref(), Some("utf-8"));

    let body: String = r#"{"args":[4],"kwargs":{}}"#.chars().rev().collect();
    let reply = raw(&broker, Some("application/x-backwards"), body).await;
    assert_eq!(text(&reply).chars().rev().collect::<String>(), r#"{"result":8,"error":null}"#);

    let body = b"\x82\xa4args\x91\x04\xa6kwargs\x80".to_vec();
    let reply = raw(&broker, Some("application/x-msgpack"), body).await;
    assert_eq!(&*reply.body, b"\x82\xa6result\x08\xa5error\xc0");
    assert_eq!(reply.properties.content_encoding.as_deref(), Some("binary"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_no_request_is_answered_all_the_same() {
    let broker = format!("memory://{}", unique("codecs"));
    let app = App::new().broker(&*broker).service::<Codecs>().start().await.unwrap();
    for (content_type, body, exc_type) in [
        (Some("application/x-unheard-of"), "{}", "MalformedRequest"),
        (None, "{}", "MalformedRequest"),
        (Some("application/json"), "{", "MalformedRequest"),
        (Some("application/json"), "[]", "MalformedRequest"),
        (Some("application/json"), "null", "MalformedRequest"),
        (Some("application/json"), r#"{"args": []}"#, "MalformedRequest"),
        (Some("application/json"), r#"{"args": [4], "kwargs": {}} more"#, "MalformedRequest"),
        (Some("application/json"), r#"{"args": [4], "kwargs": null}"#, "IncorrectSignature"),
        (Some("application/json"), r#"{"args": {}, "kwargs": {}}"#, "IncorrectSignature"),
        (Some("application/json"), r#"{"args": [], "kwargs": {"n": 1, "n": 2}}"#, "IncorrectSignature"),
        (Some("application/x-msgpack"), "\u{1}", "MalformedRequest"),
    ] {
        let reply = raw(&broker, content_type, body).await;
        assert!(text(&reply).contains(exc_type), "{body} → {}", text(&reply));
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn one_setting_makes_typed_clients_speak_json() {
    for codec in ["json", "msgpack"] {
        let settings = kinoko::Settings::from_yaml(&format!("rpc_codec: {codec}")).unwrap();
        let app = App::new().settings(settings).service::<Codecs>().start().await.unwrap();
        assert_eq!(app.client::<CodecsClient>().double(4).await.unwrap(), 8);
        app.stop().await.unwrap();
    }
    let settings = kinoko::Settings::from_yaml("rpc_codec: xml").unwrap();
    let error = App::new().settings(settings).service::<Codecs>().start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "setting `rpc_codec` (from line 1): no codec is called `xml`: write `msgpack` or `json`"
    );
}
