//! Policies around methods that something fires: what a service lets in, in what number.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kinoko::{CallError, auth::Jwt, prelude::*, resilience::Refused, testing::TestApp};
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error, ServiceError)]
#[error(transparent)]
enum DoorError {
    #[fault(forward)]
    Refused(#[from] Refused),
}

/// How many came in.
#[derive(Debug, Clone, Default)]
struct Inside(Arc<AtomicUsize>);

impl Dependency for Inside {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

#[derive(Dependencies)]
struct Door {
    inside: Inside,
    #[allow(dead_code, reason = "what guards ask")]
    jwt: Jwt,
}

#[service(name = "policies_door")]
impl Door {
    fn come_in(&self) -> Result<usize, DoorError> {
        Ok(self.inside.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    #[rpc]
    #[public]
    #[policy(name = "door_call", rate_limit = "2/m")]
    async fn call(&self) -> Result<usize, DoorError> {
        self.come_in()
    }

    #[http(GET, "/come")]
    #[public]
    #[policy(name = "door_come", rate_limit = "2/m")]
    async fn come(&self) -> Result<usize, DoorError> {
        self.come_in()
    }

    #[rpc]
    #[guard(role = "clerk")]
    #[policy(name = "door_guarded", rate_limit = "1/m")]
    async fn guarded(&self) -> Result<usize, DoorError> {
        self.come_in()
    }

    #[websocket]
    #[public]
    #[policy(name = "door_say", rate_limit = "1/m")]
    async fn say(&self, word: String) -> Result<String, DoorError> {
        Ok(word)
    }

    // What comes when no more may waits for its next attempt.
    #[consume("door.parcels", retry(max = 5))]
    #[public]
    #[policy(name = "door_parcel", rate_limit = "1/s")]
    async fn parcel(&self, _number: u32) -> Result<(), DoorError> {
        self.come_in().map(drop)
    }
}

async fn door() -> (kinoko::testing::RunningTestApp, Inside) {
    let inside = Inside::default();
    let app = TestApp::new().service::<Door>().replace(inside.clone());
    (app.start().await.unwrap(), inside)
}

/// Whom it is about the caller is not told.
fn is_limited(answer: &Result<usize, CallError<DoorError>>) {
    match answer {
        Err(CallError::Remote(fault)) => {
            assert_eq!((fault.code.as_deref(), fault.retryable), (Some("RATE_LIMITED"), Some(true)), "{fault}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_the_rate_are_refused_before_the_method() {
    let (app, inside) = door().await;
    let door = app.hook().client::<DoorClient>();
    assert_eq!((door.call().await.unwrap(), door.call().await.unwrap()), (1, 2));
    is_limited(&door.call().await);
    let http = app.http();
    for _ in 0..2 {
        assert_eq!(http.get("/come").send().await.unwrap().status(), 200);
    }
    let refused = http.get("/come").send().await.unwrap();
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!((refused.status(), refused.json::<Value>().unwrap()["code"].clone()), (429, json!("RATE_LIMITED")));
    assert!((29..=30).contains(&wait), "{wait}");
    assert_eq!(inside.0.load(Ordering::Relaxed), 4);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_may_not_come_in_takes_nobodys_place() {
    let (app, _) = door().await;
    let door = app.hook().client::<DoorClient>();
    for _ in 0..3 {
        assert!(matches!(door.guarded().await, Err(CallError::Unauthenticated(_))));
    }
    let token = app.token(&json!({"sub": "ada", "roles": ["clerk"]})).unwrap();
    assert_eq!(door.guarded().auth_token(&token).await.unwrap(), 1);
    is_limited(&door.guarded().auth_token(&token).await);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_of_sockets_are_refused_and_those_of_queues_come_again() {
    let (app, inside) = door().await;
    let mut socket = app.websocket("/ws").await.unwrap();
    assert_eq!(socket.call("say", &json!({"word": "a"})).await.unwrap()["data"], "a");
    let refused = socket.call("say", &json!({"word": "b"})).await.unwrap();
    assert!(refused.to_string().contains("RATE_LIMITED"), "{refused}");
    for number in 0..3 {
        app.publisher().publish(&number).to_queue("door.parcels").await.unwrap();
    }
    let began = tokio::time::Instant::now();
    kinoko_tests::eventually(std::time::Duration::from_secs(60), "all are in", || async {
        (inside.0.load(Ordering::Relaxed) == 3).then_some(())
    })
    .await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "one a second: {:?}", began.elapsed());
    app.stop().await.unwrap();
}
