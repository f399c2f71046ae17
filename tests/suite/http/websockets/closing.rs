//! How a socket ends: by its client, by the service, by a stop.

use kinoko::testing::WebSocketClose;
use kinoko_tests::soon;
use serde_json::json;

use super::{Gate, PATH, app, started};

#[tokio::test(start_paused = true)]
async fn a_socket_that_goes_away_cancels_its_workers_and_hooks_run() {
    let gate = Gate::default();
    let app = started(&gate, "").await;
    for close in [true, false] {
        let mut socket = app.websocket(PATH).await.unwrap();
        socket.send(&json!({"method": "held"})).await.unwrap();
        gate.entered.notified().await;
        if close {
            socket.close().await.unwrap()
        } else {
            drop(socket)
        }
        soon("the worker ends", gate.ended.notified()).await;
    }
    assert_eq!(gate.ends_of_methods(), ["held Cancelled(ConnectionLost)", "held Cancelled(ConnectionLost)"]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn subscriptions_end_with_their_socket() {
    let app = app().await;
    let mut ada = app.websocket(PATH).await.unwrap();
    ada.call("enter", &json!({"room": "tea"})).await.unwrap();
    ada.close().await.unwrap();
    let mut ben = app.websocket(PATH).await.unwrap();
    assert_eq!(ben.call("say", &json!({"room": "tea", "text": "hello"})).await.unwrap()["success"], true);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_method_closes_its_socket_when_it_is_answered() {
    let app = app().await;
    let mut socket = app.websocket(PATH).await.unwrap();
    assert_eq!(socket.call("bye", &json!({})).await.unwrap()["data"], "bye");
    let closed = WebSocketClose { code: 1000, reason: "closed by the service".into() };
    assert_eq!(socket.closed().await.unwrap(), closed);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_answers_what_runs_and_then_closes() {
    let gate = Gate::default();
    let app = started(&gate, "").await;
    let mut busy = app.websocket(PATH).await.unwrap();
    let mut idle = app.websocket(PATH).await.unwrap();
    busy.send(&json!({"method": "held", "correlation_id": "held"})).await.unwrap();
    gate.entered.notified().await;
    let stopping = tokio::spawn(app.stop());
    assert_eq!(idle.closed().await.unwrap(), WebSocketClose { code: 1001, reason: "the service stops".into() });
    // What comes now is not read any more.
    busy.send(&json!({"method": "add", "data": {"a": 1}})).await.unwrap();
    gate.open.notify_one();
    assert_eq!(busy.next().await.unwrap()["data"], "let go");
    assert_eq!(busy.closed().await.unwrap(), WebSocketClose { code: 1001, reason: "the service stops".into() });
    drop((busy, idle));
    soon("the stop ends", stopping).await.unwrap().unwrap();
    assert_eq!(gate.ends_of_methods(), ["held ok"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_drops_what_outlasts_the_grace_period() {
    let gate = Gate::default();
    let app = started(&gate, "grace_period: 5s").await;
    let mut socket = app.websocket(PATH).await.unwrap();
    socket.send(&json!({"method": "held"})).await.unwrap();
    gate.entered.notified().await;
    let stopping = tokio::spawn(app.stop());
    assert_eq!(socket.next().await.unwrap()["error"]["code"], "STOPPING");
    assert_eq!(socket.closed().await.unwrap().code, 1001);
    drop(socket);
    assert!(stopping.await.unwrap().unwrap_err().to_string().contains("1 workers were dropped"));
    assert_eq!(gate.ends_of_methods(), ["held Cancelled(Stopping)"]);
}

#[tokio::test(start_paused = true)]
async fn sockets_end_with_a_program_that_is_dropped() {
    let app = app().await;
    let mut socket = app.websocket(PATH).await.unwrap();
    drop(app);
    assert_eq!(socket.closed().await.unwrap().code, 1001);
}
