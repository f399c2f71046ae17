//! Events, messages of queues and timers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use kinoko::{
    auth::{Identity, Jwt},
    prelude::*,
    testing::TestApp,
};
use kinoko_tests::eventually;
use serde_json::json;

#[derive(Clone, Default)]
struct Ticks(Arc<AtomicU32>);

impl Dependency for Ticks {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

#[derive(Dependencies)]
struct Mailer {
    #[allow(dead_code)]
    jwt: Jwt,
    events: EventDispatcher,
    ticks: Ticks,
}

#[service(name = "auth_mailer")]
impl Mailer {
    #[event_handler("auth_orders", "placed")]
    #[guard(role = "clerk")]
    fn on_placed(&self, #[inject] who: Identity, _order: u32) -> kinoko::Result<()> {
        assert_eq!(who.subject(), "ada");
        Ok(())
    }

    #[event_handler("auth_orders", "closed")]
    fn on_closed(&self, _order: u32) {}

    #[event_handler("auth_orders", "seen", batch = 2, within = "10ms")]
    #[public]
    fn on_seen(&self, _orders: Vec<u32>) {}

    #[event_handler("auth_orders", "batched", batch = 2, within = "10ms")]
    fn on_batched(&self, _orders: Vec<u32>) {}

    #[consume("auth-letters")]
    #[guard]
    fn on_letter(&self, _letter: u32) {}

    #[timer(every = "1s", eager)]
    fn tick(&self) {
        self.ticks.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Its event carries the caller's token.
    #[rpc]
    #[public]
    async fn place(&self) -> kinoko::Result<()> {
        self.events.dispatch_to("auth_orders", "placed", &1).await?;
        Ok(())
    }
}

async fn app() -> kinoko::testing::RunningTestApp {
    TestApp::new().service::<Mailer>().start().await.unwrap()
}

async fn code_of(app: &kinoko::testing::RunningTestApp, queue: &str) -> (String, u64) {
    let letters = app.dead_letters();
    let letter =
        eventually(Duration::from_secs(60), "a dead letter", || async { letters.list(queue, 1).await.unwrap().pop() })
            .await;
    (letter.code.unwrap_or_default(), letter.attempts)
}

#[tokio::test(start_paused = true)]
async fn an_event_of_nobody_is_a_dead_letter_at_once() {
    let app = app().await;
    let queue = "evt-auth_orders-placed--auth_mailer.on_placed";
    let denied = app.waiter("auth_mailer", "on_placed");
    app.client::<MailerClient>().place().await.unwrap();
    let denied = denied.await.unwrap();
    assert_eq!(denied.fault().unwrap().code.as_deref(), Some("UNAUTHENTICATED"));
    assert_eq!(code_of(&app, queue).await, ("UNAUTHENTICATED".into(), 1));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_event_carries_the_token_of_the_worker_that_sent_it() {
    let app = app().await;
    for (role, code) in [("clerk", None), ("guest", Some("FORBIDDEN"))] {
        let token = app.token(&json!({"sub": "ada", "roles": [role]})).unwrap();
        let fired = app.waiter("auth_mailer", "on_placed");
        app.client::<MailerClient>().place().auth_token(&token).await.unwrap();
        let fired = fired.await.unwrap();
        assert_eq!(fired.fault().and_then(|fault| fault.code.as_deref()), code, "{fired}");
    }
    assert_eq!(code_of(&app, "evt-auth_orders-placed--auth_mailer.on_placed").await, ("FORBIDDEN".into(), 1));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_with_neither_attribute_is_closed_and_its_messages_are_kept() {
    let app = app().await;
    let token = app.token(&json!({"sub": "ada"})).unwrap();
    for (name, queue) in [("closed", "on_closed"), ("batched", "on_batched")] {
        let event = app.events().dispatch_to("auth_orders", name, &1).context("auth_token", token.as_str());
        event.await.unwrap();
        let queue = format!("evt-auth_orders-{name}--auth_mailer.{queue}");
        assert_eq!(code_of(&app, &queue).await, ("FORBIDDEN".into(), 1));
    }
    let seen = app.waiter("auth_mailer", "on_seen");
    app.events().dispatch_to("auth_orders", "seen", &1).await.unwrap();
    assert!(seen.await.unwrap().is_ok());
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_queue_are_guarded_and_timers_are_not() {
    let app = app().await;
    let letters = app.publisher();
    let token = app.token(&json!({"sub": "ada"})).unwrap();
    for (with, passes) in [(Some(token), true), (None, false)] {
        let fired = app.waiter("auth_mailer", "on_letter");
        let publish = letters.publish(&1).to_queue("auth-letters");
        match with {
            Some(token) => publish.context("auth_token", token).await.unwrap(),
            None => publish.await.unwrap(),
        };
        assert_eq!(fired.await.unwrap().is_ok(), passes);
    }
    let tick = app.waiter("auth_mailer", "tick");
    assert!(tick.await.unwrap().is_ok());
    app.stop().await.unwrap();
}
