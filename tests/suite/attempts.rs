//! Requests without a deadline that end every process which works them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kinoko::{
    Settings,
    prelude::*,
    protocol::{Message, Properties},
    transport::{MemoryTransport, Requester, Transport},
};
use kinoko_tests::{Replies, body, unique};

/// Whether each attempt was told to be one.
#[derive(Clone, Default)]
struct Attempts(Arc<Mutex<Vec<bool>>>);

thread_local! {
    static ATTEMPTS: Attempts = Attempts::default();
}

impl Dependency for Attempts {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(ATTEMPTS.with(Clone::clone))
    }
}

#[derive(Dependencies)]
struct Hanging {
    attempts: Attempts,
}

#[service(name = "attempts_hanging", max_workers = 1)]
impl Hanging {
    #[rpc]
    async fn hang(&self, #[inject] cx: WorkerContext) {
        self.attempts.0.lock().unwrap().push(cx.redelivered());
        std::future::pending::<()>().await;
    }

    #[rpc]
    fn hello(&self) -> String {
        "hello".into()
    }
}

struct Caller {
    _transport: Arc<dyn Transport>,
    requester: Arc<dyn Requester>,
    replies: Replies,
}

impl Caller {
    async fn new(broker: &str) -> Self {
        let transport = MemoryTransport::open(broker);
        let (sink, replies) = Replies::new();
        let requester = transport.open_requester("attempts", sink).await.unwrap();
        Self { _transport: transport, requester, replies }
    }

    async fn request(&self, short_path: bool, method: &str, expiration: Option<Duration>) {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let (exchange, key) = match short_path {
            true => ("", "kinoko.rpc-attempts_hanging".to_owned()),
            false => ("nameko-rpc", format!("attempts_hanging.{method}")),
        };
        let message = Message {
            exchange: exchange.into(),
            routing_key: key.into(),
            properties: Properties {
                content_type: Some("application/json".into()),
                correlation_id: Some(NUMBER.fetch_add(1, Ordering::SeqCst).to_string().into()),
                kind: short_path.then(|| method.to_owned().into()),
                expiration,
                ..Properties::default()
            },
            body: r#"{"args": [], "kwargs": {}}"#.into(),
        };
        self.requester.request(message).await.unwrap();
    }
}

/// One instance that takes the request and ends without an answer.
async fn instance_that_dies(broker: &str) {
    let settings = Settings::from_yaml("grace_period: 1ms").unwrap();
    let app = App::new().settings(settings).broker(format!("memory://{broker}")).service::<Hanging>();
    let app = app.start().await.unwrap();
    // The clock is paused: this ends when nothing else can move.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let _ = app.stop().await;
}

fn attempts() -> Vec<bool> {
    ATTEMPTS.with(|attempts| attempts.0.lock().unwrap().clone())
}

async fn is_answered_after_three(short_path: bool) {
    let broker = unique("attempts");
    let caller = Caller::new(&broker).await;
    instance_that_dies(&broker).await;
    caller.request(short_path, "hang", None).await;
    for begun in 1..=3 {
        instance_that_dies(&broker).await;
        assert_eq!(attempts().len(), begun);
        assert!(caller.replies.ready().await.is_none());
    }
    assert_eq!(attempts(), [false, true, true], "a method can ask whether it is the first attempt");
    instance_that_dies(&broker).await;
    let reply: serde_json::Value = serde_json::from_str(&body(&caller.replies.next().await)).unwrap();
    let error = &reply["error"];
    assert_eq!((&error["code"], &error["exc_path"]), (&"TOO_MANY_ATTEMPTS".into(), &"kinoko.TooManyAttempts".into()));
    assert_eq!(
        error["value"],
        "`attempts_hanging.hang` was begun 3 times and never came to an end: its process died or lost the broker each time"
    );
    // And the queue is free of it.
    caller.request(short_path, "hello", None).await;
    instance_that_dies(&broker).await;
    assert!(body(&caller.replies.next().await).contains(r#""result":"hello""#));
    assert_eq!(attempts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_deadline_is_answered_after_three_attempts() {
    is_answered_after_three(false).await;
}

#[tokio::test(start_paused = true)]
async fn so_it_is_on_the_short_path() {
    is_answered_after_three(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_with_a_deadline_is_tried_until_then() {
    let broker = unique("attempts");
    let caller = Caller::new(&broker).await;
    instance_that_dies(&broker).await;
    caller.request(false, "hang", Some(Duration::from_secs(60))).await;
    for begun in 1..=6 {
        instance_that_dies(&broker).await;
        assert_eq!(attempts().len(), begun);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    instance_that_dies(&broker).await;
    assert_eq!(attempts().len(), 6);
    assert!(caller.replies.ready().await.is_none());
}
