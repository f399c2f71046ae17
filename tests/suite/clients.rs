//! Calls: awaited, sent and awaited later, by name, to nobody.

use std::time::Duration;

use kinoko::{CallError, Client, prelude::*};
use kinoko_tests::unique;

#[derive(Dependencies)]
struct ClientsEcho;

#[service(name = "clients_echo")]
impl ClientsEcho {
    #[rpc]
    async fn echo(&self, text: String) -> String {
        text
    }

    #[rpc(name = "renamed")]
    fn other(&self) -> u32 {
        3
    }

    #[rpc]
    fn header(&self, #[inject] cx: WorkerContext) -> Option<String> {
        cx.header("x-trace")?.as_str().map(str::to_owned)
    }
}

#[tokio::test]
async fn a_call_can_be_sent_now_and_awaited_later() {
    let app = App::new().service::<ClientsEcho>().start().await.unwrap();
    let echo = app.client::<ClientsEchoClient>();
    let mut pending = Vec::new();
    for number in 0..100 {
        pending.push(echo.echo(number.to_string()).send().await.unwrap());
    }
    for (number, reply) in pending.into_iter().enumerate().rev() {
        assert_eq!(reply.await.unwrap(), number.to_string());
    }
    assert_eq!(app.pending_calls(), 0);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn dropping_a_call_withdraws_the_wait() {
    let app = App::new().service::<ClientsEcho>().start().await.unwrap();
    let echo = app.client::<ClientsEchoClient>();
    let pending = echo.echo("x".into()).send().await.unwrap();
    drop(pending);
    drop(echo.echo("never sent".into()));
    assert_eq!(app.pending_calls(), 0);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_method_has_the_name_that_its_attribute_gives() {
    let app = App::new().service::<ClientsEcho>().start().await.unwrap();
    assert_eq!(app.client::<ClientsEchoClient>().other().await.unwrap(), 3);
    match app.proxy().call("clients_echo", "other").await {
        Err(CallError::MethodNotFound { service, method }) => {
            assert_eq!((&*service, &*method), ("clients_echo", "other"))
        }
        other => panic!("{other:?}"),
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn headers_reach_the_worker() {
    let app = App::new().service::<ClientsEcho>().start().await.unwrap();
    let call = app.client::<ClientsEchoClient>().header().header("x-trace", "abc");
    assert_eq!(call.await.unwrap().as_deref(), Some("abc"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn an_unknown_service_is_told_at_once_with_the_name_that_was_meant() {
    let app = App::new().service::<ClientsEcho>().start().await.unwrap();
    let started = tokio::time::Instant::now();
    let error = app.proxy().call("client_echo", "echo").await.unwrap_err();
    assert_eq!(error.to_string(), "no service `client_echo`: did you mean `clients_echo`?");
    assert!(!error.may_have_run());
    assert!(started.elapsed() < Duration::from_millis(100));
    // A name that was only tried is not suggested to the next one.
    let error = app.proxy().call("client_ech", "echo").await.unwrap_err();
    assert!(error.to_string().contains("clients_echo") || !error.to_string().contains("client_echo"), "{error}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_body_above_the_limit_is_not_sent() {
    let settings = kinoko::Settings::from_yaml("max_body_bytes: 100").unwrap();
    let app = App::new().settings(settings).service::<ClientsEcho>().start().await.unwrap();
    match app.client::<ClientsEchoClient>().echo("x".repeat(200)).await {
        Err(error @ CallError::TooLarge { limit: 100, .. }) => assert!(!error.may_have_run()),
        other => panic!("{other:?}"),
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_standalone_client_calls_from_outside_any_service() {
    let broker = format!("memory://{}", unique("clients"));
    let app = App::new().broker(&*broker).service::<ClientsEcho>().start().await.unwrap();
    let client = Client::connect(&broker).await.unwrap();
    let (one, two) = (client.service::<ClientsEchoClient>(), client.clone().proxy());
    assert_eq!(one.echo("typed".into()).await.unwrap(), "typed");
    assert_eq!(two.call("clients_echo", "echo").kwarg("text", "by name").await.unwrap(), "by name");
    client.close().await;
    match one.echo("late".into()).await {
        Err(error @ CallError::Unavailable(_)) => assert!(!error.may_have_run()),
        other => panic!("{other:?}"),
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_service_value_is_called_without_any_transport() {
    let echo = ClientsEchoClient::from_service(ClientsEcho);
    assert_eq!(echo.echo("local".into()).await.unwrap(), "local");
    assert_eq!(echo.header().header("x-trace", "y").await.unwrap().as_deref(), Some("y"));
    let pending = echo.echo("later".into()).send().await.unwrap();
    assert_eq!(pending.await.unwrap(), "later");
}
