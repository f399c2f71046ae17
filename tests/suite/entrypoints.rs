//! Methods that several things fire, each by an attribute of its own.

use std::time::Duration;

use kinoko::{
    prelude::*,
    testing::{RunningTestApp, TestApp},
};
use tokio::time::Instant;

#[event(source = "several")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Counted {
    count: u32,
}

#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
enum DoubleError {
    #[error("nothing to double")]
    #[fault(retry = false)]
    Nothing,
}

#[derive(Dependencies)]
struct Several;

#[service(name = "several")]
impl Several {
    /// A caller's argument, an event's payload, a message's.
    #[rpc]
    #[event_handler("several", "named")]
    #[consume("several.numbers")]
    fn double(&self, #[default(3)] count: u32) -> Result<(), DoubleError> {
        if count == 0 { Err(DoubleError::Nothing) } else { Ok(()) }
    }

    #[rpc]
    #[timer(every = "10s")]
    fn tick(&self) {}

    #[event_handler(Counted)]
    #[event_handler("several", "counted.*", name = "also_counted")]
    fn on_counted(&self, counted: &Counted) {
        let _ = counted.count;
    }

    #[event_handler(Counted, batch = 3, within = "1s")]
    fn on_many(&self, counted: Vec<Counted>) -> Result<(), Reject> {
        if counted.len() == 2 { Ok(()) } else { Err(Reject::because("not two")) }
    }
}

async fn several() -> RunningTestApp {
    TestApp::new().service::<Several>().start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_method_is_called_and_handles_and_consumes() {
    let app = several().await;

    let called = app.waiter("several", "double");
    app.hook().client::<SeveralClient>().double(4).await.unwrap();
    assert_eq!(called.await.unwrap().argument("count").unwrap(), 4);
    app.hook().call("several", "double").await.unwrap();

    let handled = app.waiter("several", "double");
    app.events().dispatch_to("several", "named", &7).await.unwrap();
    let handled = handled.await.unwrap();
    assert_eq!((handled.is_ok(), handled.payload::<u32>().unwrap(), handled.arguments().len()), (true, 7, 0));
    let wrong = handled.payload::<String>().unwrap_err().to_string();
    assert!(wrong.starts_with("several.double returned, but it had no such payload: "), "{wrong}");

    let consumed = app.waiter("several", "double");
    app.publisher().publish(&0).to_queue("several.numbers").await.unwrap();
    assert_eq!(consumed.await.unwrap().error::<DoubleError>(), Some(DoubleError::Nothing));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_method_is_called_and_ticks() {
    let app = several().await;
    let began = Instant::now();
    let tick = app.waiter("several", "tick").within(Duration::from_secs(11)).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    assert!(tick.payload::<u32>().is_err());

    let called = app.waiter("several", "tick");
    app.hook().client::<SeveralClient>().tick().await.unwrap();
    called.await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(10));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_method_handles_two_events_and_its_names_are_told_apart() {
    let app = several().await;
    let (one, two) = (app.waiter("several", "on_counted"), app.waiter("several", "also_counted"));
    app.events().dispatch(&Counted { count: 1 }).await.unwrap();
    app.events().dispatch_to("several", "counted.twice", &Counted { count: 2 }).await.unwrap();
    assert_eq!(one.await.unwrap().payload::<Counted>().unwrap().count, 1);
    assert_eq!(two.await.unwrap().payload::<Counted>().unwrap().count, 2);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_handed_over_without_what_cannot_be_read() {
    let app = several().await;
    let many = app.waiter("several", "on_many");
    app.events().dispatch(&Counted { count: 1 }).await.unwrap();
    app.events().dispatch_to("several", "counted", "three").await.unwrap();
    app.events().dispatch(&Counted { count: 2 }).await.unwrap();
    let many = many.await.unwrap();
    let payload = many.payload::<Vec<kinoko::Value>>().unwrap();
    assert_eq!(payload, [serde_json::json!({"count": 1}), "three".into(), serde_json::json!({"count": 2})]);
    // The method returned `Ok` for the two; the third is a dead letter.
    let fault = many.fault().unwrap().to_string();
    assert!(fault.contains("MalformedMessage"), "{fault}");
    let dead = app.dead_letters().list("evt-several-counted--several.on_many", 10).await.unwrap();
    assert_eq!(dead.iter().map(|letter| letter.payload()).collect::<Vec<_>>(), [Some("three".into())]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_left_keeps_all_its_attributes() {
    let app = TestApp::new().service::<Several>().only_entrypoints("several", ["double"]).start().await.unwrap();
    let handled = app.waiter("several", "double");
    assert!(app.events().dispatch_to("several", "named", &7).await.unwrap().routed);
    handled.await.unwrap();
    app.hook().client::<SeveralClient>().double(4).await.unwrap();

    assert!(!app.events().dispatch(&Counted { count: 1 }).await.unwrap().routed);
    let error = app.waiter("several", "on_counted").await.unwrap_err();
    assert_eq!(error.to_string(), "service `several` has no entrypoint `on_counted` (it has double)");
    app.stop().await.unwrap();
}

/// Served by a trait, whose methods come first by their number.
#[contract(name = "several_contract")]
trait Answers {
    fn one(&self) -> u32;
    fn two(&self) -> u32;
}

#[derive(Dependencies)]
struct ByTrait;

impl Answers for ByTrait {
    fn one(&self) -> u32 {
        1
    }

    fn two(&self) -> u32 {
        2
    }
}

#[service(contract = Answers)]
impl ByTrait {
    #[event_handler(Counted)]
    fn on_counted(&self, counted: Counted) -> Result<(), Reject> {
        Err(Reject::because(format!("counted {}", counted.count)))
    }

    #[timer(every = "10s")]
    fn tick(&self) {}
}

#[tokio::test(start_paused = true)]
async fn a_service_of_a_contracts_trait_handles_events_too() {
    let app = TestApp::new().service::<ByTrait>().start().await.unwrap();
    let answers = app.hook().client::<AnswersClient>();
    assert_eq!((answers.one().await.unwrap(), answers.two().await.unwrap()), (1, 2));
    let (handled, ticked) = (app.waiter("several_contract", "on_counted"), app.waiter("several_contract", "tick"));
    app.events().dispatch(&Counted { count: 3 }).await.unwrap();
    assert!(handled.await.unwrap().to_string().contains("counted 3"));
    ticked.within(Duration::from_secs(11)).await.unwrap();
    app.stop().await.unwrap();
}
