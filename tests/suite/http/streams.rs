//! Server-sent events and bodies that are made while they are sent: axum's own.

use std::convert::Infallible;

use axum::{
    body::Body,
    response::{Sse, sse::Event as SentEvent},
};
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use kinoko::{http::axum, prelude::*, testing::TestApp};

#[derive(Dependencies)]
struct Feed;

#[service(name = "feed")]
impl Feed {
    #[http(GET, "/events")]
    fn events(&self, #[extract] last: LastEvent) -> Sse<BoxStream<'static, Result<SentEvent, Infallible>>> {
        let numbers = stream::iter(last.0 + 1..last.0 + 4);
        Sse::new(numbers.map(|number| Ok(SentEvent::default().id(number.to_string()).event("tick").data("x"))).boxed())
    }

    #[http(GET, "/lines")]
    async fn lines(&self) -> Body {
        Body::from_stream(stream::iter(["one\n", "two\n"]).map(Ok::<_, Infallible>))
    }
}

/// Where a client was when it was cut off.
struct LastEvent(u32);

impl<S: Sync> axum::extract::FromRequestParts<S> for LastEvent {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Self, Infallible> {
        let last = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
        Ok(Self(last.unwrap_or_default()))
    }
}

#[tokio::test]
async fn events_are_sent_by_a_stream() {
    let app = TestApp::new().service::<Feed>().start().await.unwrap();
    let answer = app.http().get("/events").header("last-event-id", "7").send().await.unwrap();
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(
        answer.text(),
        "id: 8\nevent: tick\ndata: x\n\nid: 9\nevent: tick\ndata: x\n\nid: 10\nevent: tick\ndata: x\n\n"
    );
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_is_made_while_it_is_sent() {
    let app = TestApp::new().service::<Feed>().start().await.unwrap();
    assert_eq!(app.http().get("/lines").send().await.unwrap().text(), "one\ntwo\n");
    app.stop().await.unwrap();
}
