//! A request runs a worker: deadline, limits, hooks, shutdown.

use std::time::Duration;

use kinoko::{http::axum, prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::gate::Gate;

#[derive(Dependencies)]
struct Works {
    gate: Gate,
}

#[service(name = "works")]
impl Works {
    #[http(GET, "/held", timeout = "2s", max_workers = 1)]
    async fn held(&self) -> u32 {
        self.gate.pass().await;
        7
    }

    #[http(GET, "/fails")]
    fn fails(&self) -> Result<u32, axum::http::StatusCode> {
        Err(axum::http::StatusCode::CONFLICT)
    }
}

async fn app(gate: &Gate) -> kinoko::testing::RunningTestApp {
    TestApp::new().service::<Works>().replace(gate.clone()).start().await.unwrap()
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
    let first = tokio::spawn(app.http().get("/held").send());
    gate.entered.notified().await;
    let second = app.http().get("/held").send().await.unwrap();
    // The first is dropped at its deadline, a moment before the second's.
    assert!([503, 504].contains(&second.status()), "{second:?}");
    first.await.unwrap().unwrap();
    app.stop().await.unwrap();
}
