//! Secrets are planted in every way in, with everything switched on, and looked for in everything that comes out.

use kinoko::{App, Settings, prelude::*};
use kinoko_tests::{Collector, captured_log};
use serde::{Deserialize, Serialize};

use crate::scrape::{ask, get};

/// Short enough to be kept whole anywhere, and nothing else looks like it.
const CANARY: &str = "canary8523";

#[derive(Debug, thiserror::Error, ServiceError)]
enum Refused {
    #[error("no such user")]
    NoSuchUser,
}

#[event(source = "seen_vault", name = "stored")]
#[derive(Serialize, Deserialize)]
struct Stored {
    card: String,
}

#[derive(Dependencies)]
struct SeenVault {
    events: EventDispatcher,
    inner: SeenInnerClient,
    #[dependency(key = "seen_vault.pin", secret)]
    pin: Config<String>,
}

#[service(name = "seen_vault")]
impl SeenVault {
    /// Keeps a card.
    #[rpc(sensitive(card), expected(Refused::NoSuchUser))]
    #[http(POST, "/cards/{user}", sensitive(card))]
    async fn store(&self, user: String, card: String) -> Result<usize, Refused> {
        if user == "nobody" {
            return Err(Refused::NoSuchUser);
        }
        let _ = self.events.dispatch(&Stored { card: card.clone() }).await;
        let _ = self.inner.keep(card).await;
        Ok(self.pin.len())
    }
}

#[derive(Dependencies)]
struct SeenInner;

#[service(name = "seen_inner")]
impl SeenInner {
    #[rpc(sensitive(card))]
    fn keep(&self, card: String) -> usize {
        card.len()
    }

    #[event_handler(Stored)]
    fn on_stored(&self, event: Stored) -> kinoko::Result<()> {
        if event.card.is_empty() { Err(kinoko::Error::msg("empty")) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_logs_metrics_traces_or_documents() {
    captured_log();
    let collector = Collector::start().await;
    let mut settings = Settings::from_yaml(&format!(
        "{{seen_vault: {{pin: {CANARY}}}, otel: {{headers: {{x-api: {CANARY}}}}}, ops: {{token: {CANARY}-{CANARY}}}}}"
    ))
    .unwrap();
    for (key, value) in [("ops.address", "127.0.0.1:0"), ("http.address", "127.0.0.1:0")] {
        settings.set(key, value);
    }
    settings.set("otel.endpoint", collector.endpoint());
    let app = App::new().service::<SeenVault>().service::<SeenInner>().settings(settings).start().await.unwrap();
    let vault = app.client::<SeenVaultClient>();
    for user in ["ada", "nobody"] {
        let call = vault.store(user.to_owned(), CANARY.to_owned()).header("x-key", CANARY);
        let _ = call.context("auth_token", CANARY).await;
    }
    let proxy = app.proxy();
    let _ = proxy.call("seen_vault", "store").arg(7).arg([CANARY]).await;
    let (address, operations) = (app.http_address().unwrap(), app.ops_address().unwrap());
    let headers = [("authorization", "Bearer canary8523"), ("cookie", "session=canary8523"), ("x-api-key", CANARY)];
    for path in ["/openapi.json", "/asyncapi.json", "/docs"] {
        shows_nothing(&ask(address, path, &headers).await.text);
    }
    for path in ["/metrics", "/info", "/health/ready", "/log"] {
        let found = tokio::spawn(async move { get(operations, path, "*/*").await }).await;
        // `/log` is a program's own here.
        found.into_iter().for_each(|found| shows_nothing(&found.text));
    }
    let metrics = get(operations, "/metrics", "application/openmetrics-text").await;
    shows_nothing(&metrics.text);
    app.stop().await.unwrap();
    let spans = collector.spans();
    assert!(spans.iter().any(|found| found.span.name == "seen_inner/on_stored"), "everything was traced");
    shows_nothing(&format!("{:?}", spans.iter().map(|found| &found.span).collect::<Vec<_>>()));
    let log = captured_log();
    assert!(log.contains("TRACE") && log.contains(r#""card":"***""#), "it is logged at TRACE");
    log.lines().for_each(shows_nothing);
}

#[track_caller]
fn shows_nothing(text: &str) {
    assert!(!text.contains(CANARY), "{text}");
}
