//! What is logged of calls: the call id on every line, no secret on any.

use kinoko::prelude::*;
use kinoko_tests::captured_log;

#[derive(Debug, thiserror::Error, ServiceError)]
enum LogsError {
    #[error("expected trouble")]
    Expected,
    #[error("unexpected trouble")]
    Unexpected,
}

#[derive(Dependencies)]
struct Logs;

#[service(name = "logs_service")]
impl Logs {
    #[rpc(expected(LogsError::Expected), sensitive(password))]
    fn login(&self, user: &str, password: &str, #[inject] cx: WorkerContext) -> Result<String, LogsError> {
        kinoko::tracing::info!(target: "kinoko::logs_test", len = password.len(), "the user's own line");
        match user {
            "expected" => Err(LogsError::Expected),
            "unexpected" => Err(LogsError::Unexpected),
            _ => Ok(cx.call_id().to_owned()),
        }
    }
}

#[tokio::test]
async fn lines_carry_the_call_id_and_no_secret() {
    captured_log();
    let app = App::new().service::<Logs>().start().await.unwrap();
    let client = app.client::<LogsClient>();
    let call_id = client.login("ada", "hunter2-canary").await.unwrap();
    for user in ["expected", "unexpected"] {
        client.login(user, "hunter2-canary").await.unwrap_err();
    }
    app.proxy().call("logs_service", "login").arg("ada").kwarg("password", ["hunter2-canary"]).await.unwrap_err();
    app.stop().await.unwrap();

    let log = captured_log();
    let line = |text: &str| log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {log}"));
    assert!(line("the user's own line").contains(&format!("call_id=\"{call_id}\"")), "{}", line("the user's own line"));
    let (expected, unexpected) = (line("Expected: expected trouble"), line("Unexpected: unexpected trouble"));
    assert!(expected.contains("WARN") && expected.contains("call_id=\"logs_service.login."), "{expected}");
    assert!(unexpected.contains("ERROR") && unexpected.contains("call_id=\"logs_service.login."), "{unexpected}");
    line(r#""password":"***""#);
    assert!(!log.contains("hunter2-canary"));
}
