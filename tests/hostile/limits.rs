//! Sizes: of requests, of answers, of names.

use std::time::Duration;

use kinoko::{CallError, Client, Settings, prelude::*};
use kinoko_tests::eventually;

use crate::{
    sender::{Sender, request, text},
    target::{
        LargeError, LimitedAnswers, LimitedAnswersClient, LimitedReplies, LimitedRequests, LimitedRequestsClient,
    },
};

const LIMIT: usize = 64 * 1024;

fn limit(bytes: usize) -> Settings {
    Settings::from_yaml(&format!("max_body_bytes: {bytes}\nmax_workers: 1")).unwrap()
}

/// A body of JSON of exactly this many bytes, which `echo` takes.
fn body(bytes: usize) -> String {
    let empty = r#"{"args": [""], "kwargs": {}}"#;
    empty.replace(r#""""#, &format!(r#""{}""#, "x".repeat(bytes - empty.len())))
}

pub(crate) async fn a_request_above_the_limit_is_refused_while_every_slot_is_taken(broker: &str) {
    const NAME: &str = "hostile_limited_requests";
    let app = App::new().settings(limit(LIMIT)).broker(broker).service::<LimitedRequests>().start().await.unwrap();
    let client = Client::connect(broker).await.unwrap();
    let sender = Sender::open(broker).await;

    // At the limit it is served.
    let exact = sender.ask(request(NAME, "echo", "application/json", body(LIMIT - 100))).await;
    assert!(text(&exact).contains(r#""error":null"#));
    let exact = sender.ask(request(NAME, "typed", "application/json", body(LIMIT))).await;
    assert!(text(&exact).contains("IncorrectSignature"), "{}", text(&exact));

    let waiting =
        client.service::<LimitedRequestsClient>().wait().timeout(Duration::from_secs(3)).send().await.unwrap();
    eventually(Duration::from_secs(10), "the one worker", || async { (app.running_workers() == 1).then_some(()) })
        .await;
    for content_type in ["application/json", "text/plain"] {
        let refused = sender.ask(request(NAME, "echo", content_type, body(LIMIT + 1))).await;
        let expected = "the request's body has 65537 bytes, 65536 are allowed (max_body_bytes)";
        assert!(text(&refused).contains(expected) && text(&refused).contains("MalformedRequest"), "{}", text(&refused));
    }
    // A client whose own limit is larger.
    let error = client.proxy().call(NAME, "echo").kwarg("value", "x".repeat(LIMIT)).await.unwrap_err();
    assert!(matches!(&error, CallError::BadRequest(text) if text.contains("65536 are allowed")), "{error:?}");
    assert!(!error.may_have_run());
    // The slot was taken all the while, or at least until here.
    assert!(matches!(waiting.await, Err(CallError::Timeout(_))));
    sender.drained(NAME).await;
    app.stop().await.unwrap();
    sender.close().await;
    client.close().await;
}

pub(crate) async fn an_answer_above_the_limit_becomes_a_fault(broker: &str) {
    let app = App::new().settings(limit(LIMIT)).broker(broker).service::<LimitedAnswers>().start().await.unwrap();
    let client = app.client::<LimitedAnswersClient>();
    assert_eq!(client.large(LIMIT / 2, false).await.unwrap().len(), LIMIT / 2);
    let error = client.large(LIMIT, false).await.unwrap_err();
    assert!(error.may_have_run());
    let CallError::Remote(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.code.as_deref(), Some("REPLY_TOO_LARGE"));
    assert_eq!(fault.retryable, Some(false));
    assert!(
        fault.value.starts_with("the method ran, but its result takes 655")
            && fault.value.contains("65536 are allowed"),
        "{fault}"
    );
    let error = client.large(LIMIT, true).await.unwrap_err();
    let CallError::Remote(fault) = error else { panic!("{error:?}") };
    assert!(fault.value.starts_with("the method ran, but its error `TooMuch` takes 65"), "{fault}");
    assert!(
        matches!(client.large(10, true).await, Err(CallError::Service(LargeError::TooMuch { text })) if text.len() == 10)
    );
    app.stop().await.unwrap();
}

pub(crate) async fn a_reply_above_the_callers_limit_is_told(broker: &str) {
    let app = App::new().broker(broker).service::<LimitedReplies>().start().await.unwrap();
    let client = Client::connect_with(broker, &limit(LIMIT)).await.unwrap();
    let call = |bytes: usize| {
        client.proxy().call("hostile_limited_replies", "large").kwarg("bytes", bytes).kwarg("fail", false)
    };
    assert!(call(LIMIT / 2).await.is_ok());
    let error = call(LIMIT).await.unwrap_err();
    assert!(error.may_have_run());
    assert_eq!(error.to_string(), "unreadable reply: it has 65562 bytes, 65536 are allowed (max_body_bytes)");
    assert_eq!(client.pending_calls(), 0);
    client.close().await;
    app.stop().await.unwrap();
}

pub(crate) async fn a_name_without_room_is_a_bad_request(broker: &str) {
    let client = Client::connect(broker).await.unwrap();
    for (service, method) in [("s".repeat(300), "m".to_owned()), ("s".to_owned(), "m".repeat(300))] {
        let error = client.proxy().call(service, method).await.unwrap_err();
        assert!(matches!(&error, CallError::BadRequest(text) if text.contains("AMQP allows 255")), "{error:?}");
        assert!(!error.may_have_run());
    }
    assert_eq!(client.pending_calls(), 0);
    client.close().await;
}

#[tokio::test]
async fn a_limit_of_zero_is_refused() {
    let app = App::new().settings(limit(0)).service::<LimitedAnswers>();
    let error = app.start().await.unwrap_err();
    let text = "setting `max_body_bytes` (from line 1): 0 would refuse every message; leave it out for 16 MiB";
    assert_eq!(error.to_string(), text);
}
