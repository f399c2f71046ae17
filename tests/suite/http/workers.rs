//! A request runs a worker: deadline, limits, hooks, shutdown.

use std::time::Duration;

use futures_util::FutureExt;
use kinoko::{http::axum, prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::gate::Gate;

#[derive(Dependencies)]
struct Works {
    gate: Gate,
}

#[service(name = "works", max_workers = 1)]
impl Works {
    #[http(GET, "/held", timeout = "2s")]
    async fn held(&self) -> u32 {
        self.gate.pass().await;
        7
    }

    #[http(GET, "/held_for_long", timeout = "1h")]
    async fn held_for_long(&self) -> u32 {
        self.gate.pass().await;
        7
    }

    #[http(GET, "/brief", timeout = "2s")]
    fn brief(&self) {}

    #[http(GET, "/fails")]
    fn fails(&self) -> Result<u32, axum::http::StatusCode> {
        Err(axum::http::StatusCode::CONFLICT)
    }
}

async fn app(gate: &Gate) -> kinoko::testing::RunningTestApp {
    TestApp::new().service::<Works>().replace(gate.clone()).start().await.unwrap()
}

async fn app_with(gate: &Gate, settings: &str) -> kinoko::testing::RunningTestApp {
    let settings = kinoko::Settings::from_yaml(settings).unwrap();
    TestApp::new().service::<Works>().replace(gate.clone()).settings(settings).start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_takes_too_long_is_dropped_and_its_caller_told() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let answer = app.http().get("/held").send().await.unwrap();
    let problem: Value = answer.json().unwrap();
    assert_eq!((answer.status(), &problem["code"]), (504, &json!("TIMEOUT")));
    assert_eq!(gate.ends(), ["Cancelled(DeadlinePassed)"]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn hooks_see_an_answer_of_failure_as_one() {
    let gate = Gate::default();
    let app = app(&gate).await;
    assert_eq!(app.http().get("/fails").send().await.unwrap().status(), 409);
    assert_eq!(gate.ends(), ["Response"]);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_worker_and_hooks_run() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let call = tokio::spawn(app.http().get("/held").send());
    gate.entered.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    app.stop().await.unwrap();
    assert_eq!(gate.ends(), ["Cancelled(ConnectionLost)"]);
}

#[tokio::test]
async fn a_stop_waits_for_what_runs_and_refuses_what_comes() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let http = app.http();
    let running = tokio::spawn(http.get("/held").send());
    gate.entered.notified().await;
    let stopping = tokio::spawn(app.stop());
    let refused = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            // Until the stop has begun, it waits for the one worker.
            let answer = tokio::time::timeout(Duration::from_millis(10), http.get("/held").send()).await;
            if let Ok(Ok(answer)) = answer {
                return answer;
            }
        }
    });
    let refused = refused.await.unwrap();
    assert_eq!((refused.status(), refused.header("retry-after")), (503, "1"));
    gate.open.notify_one();
    assert_eq!(running.await.unwrap().unwrap().json::<u32>().unwrap(), 7);
    stopping.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_a_worker_is_told_to_come_again() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let first = tokio::spawn(app.http().get("/held_for_long").send());
    gate.entered.notified().await;
    let second = app.http().get("/brief").send().await.unwrap();
    let problem: Value = second.json().unwrap();
    assert_eq!((second.status(), &problem["code"], second.header("retry-after")), (503, &json!("BUSY"), "1"));
    gate.open.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    app.stop().await.unwrap();
    assert_eq!(gate.ends_of_methods(), ["held_for_long ok"]);
}

/// The place is free before anybody has looked at the deadline.
#[tokio::test(start_paused = true)]
async fn a_place_that_comes_after_the_deadline_is_none() {
    let gate = Gate::default();
    let app = app(&gate).await;
    let first = tokio::spawn(app.http().get("/held_for_long").send());
    gate.entered.notified().await;
    let second = tokio::spawn(app.http().get("/brief").send());
    // It waits now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The clock is ahead, and no other task has run since.
    let _ = tokio::time::advance(Duration::from_secs(2)).now_or_never();
    gate.open.notify_one();
    let second = second.await.unwrap().unwrap();
    assert_eq!((second.status(), second.header("retry-after")), (503, "1"), "{second:?}");
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    // Its place is free again.
    assert_eq!(app.http().get("/brief").send().await.unwrap().status(), 204);
    app.stop().await.unwrap();
    assert_eq!(gate.ends_of_methods(), ["held_for_long ok", "brief ok"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_when_enough_wait_already_is_refused_at_once() {
    let gate = Gate::default();
    let app = app_with(&gate, "max_workers: 1\nhttp: {max_waiting: 2}").await;
    let http = app.http();
    let first = tokio::spawn(http.get("/held_for_long").send());
    gate.entered.notified().await;
    let waiting = [(); 2].map(|()| tokio::spawn(http.get("/brief").send()));
    // Until they wait.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = tokio::time::Instant::now();
    let refused = http.get("/brief").send().await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(100), "it does not wait");
    let problem: Value = refused.json().unwrap();
    assert_eq!((refused.status(), &problem["code"], refused.header("retry-after")), (503, &json!("BUSY"), "1"));
    gate.open.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    for waited in waiting {
        assert_eq!(waited.await.unwrap().unwrap().status(), 204);
    }
    assert_eq!(http.get("/brief").send().await.unwrap().status(), 204, "all places are free again");
    app.stop().await.unwrap();
}
