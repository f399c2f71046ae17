//! The operations page while a program works, in a browser: entrypoints, failures, traces, dead letters, and who else is there.

use std::{sync::Arc, time::Duration};

use kinoko::{
    App, Settings,
    prelude::*,
    protocol::{Message, Properties},
    transport::{Binding, Exchange, ExchangeKind, Queue, Topology, Transport, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, unique};
use serde_json::json;

use crate::{artifacts, output, python, said, script};

const TOKEN: &str = "a token of operators";

/// What a page must not obey, wherever it comes from.
const HOSTILE: &str = "<img src=x onerror=\"window.hacked = true\">";

#[derive(Dependencies)]
struct Till {
    ledger: LedgerClient,
    events: EventDispatcher,
}

#[service(name = "till")]
impl Till {
    #[rpc]
    async fn sell(&self, article: String) -> kinoko::Result<u32> {
        tokio::time::sleep(Duration::from_millis(3)).await;
        Ok(self.ledger.note(article).await?)
    }

    #[rpc]
    async fn refund(&self) -> kinoko::Result<()> {
        Err(kinoko::Error::msg(format!("no money is left {HOSTILE}")))
    }

    #[rpc]
    async fn close(&self) -> kinoko::Result<()> {
        self.events.dispatch_to("till", "closed", &7).required().await?;
        Ok(())
    }
}

#[derive(Dependencies)]
struct Ledger;

#[service(name = "ledger")]
impl Ledger {
    #[rpc]
    async fn note(&self, article: String) -> u32 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        u32::try_from(article.len()).unwrap_or_default()
    }

    #[event_handler("till", "closed")]
    fn on_closed(&self, _id: u64) -> Result<(), Verdict> {
        Err(DeadLetter::because("the book is full").into())
    }
}

/// Answers `stats` as a program does that wants to harm whoever looks.
pub(crate) async fn stranger(broker: &str) -> Arc<dyn Transport> {
    let transport = connect(broker, TransportOptions::default()).await.unwrap();
    let topology = Topology {
        exchanges: vec![Exchange { durable: false, ..Exchange::durable("kinoko.srv", ExchangeKind::Topic) }],
        queues: vec![Queue { exclusive: true, ..Queue::durable("stranger") }],
        bindings: vec![Binding::new("kinoko.srv", "stranger", "stats")],
    };
    transport.declare(topology).await.unwrap();
    let (sink, deliveries) = Deliveries::new();
    transport.consume("stranger".into(), 10, sink).await.unwrap();
    let answering = transport.clone();
    tokio::spawn(async move {
        loop {
            let delivery = deliveries.wait().await;
            let asked = delivery.message().properties.clone();
            delivery.ack();
            let service = json!({
                "name": "stranger", "busy_workers": 1, "max_workers": 2,
                "entrypoints": [{"method": HOSTILE, "kind": "rpc", "ended": {"ok": 41, "timeout": 1}}],
            });
            let answer = json!({
                "instance": "stranger", "program": HOSTILE, "version": HOSTILE, "kinoko": "0", "host": HOSTILE, "pid": 7,
                "started_at": HOSTILE, "uptime_ms": 90_061_000, "ready": false, "ttl_ms": 1, "services": [service],
                "policies": [
                    {"service": HOSTILE, "name": HOSTILE, "state": "open", "ended": {"success": 41, "timeout": 1}},
                    {"service": "stranger", "name": HOSTILE, "state": HOSTILE},
                ],
            });
            let message = Message {
                routing_key: asked.reply_to.unwrap(),
                properties: Properties { correlation_id: asked.correlation_id, ..Properties::default() },
                body: answer.to_string().into(),
                ..Message::default()
            };
            answering.publish(message).await.ok();
        }
    });
    transport
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(browser), ignore = "needs Python with playwright, and Chromium: run ./test.sh")]
async fn a_program_at_work_is_watched_in_a_browser_that_is_cut_off() {
    let mut settings = Settings::default();
    settings.set("ops.address", "127.0.0.1:0");
    settings.set("mode", "production");
    settings.set("ops.token", TOKEN);
    let broker = format!("memory://{}", unique("live-page"));
    let app = App::new().service::<Till>().service::<Ledger>().settings(settings).version("1.2.3").broker(&broker);
    let app = app.start().await.unwrap();
    let stranger = stranger(&broker).await;
    let till = app.client::<TillClient>();
    till.refund().await.unwrap_err();
    till.close().await.unwrap();
    let (close, mut closed) = tokio::sync::oneshot::channel::<()>();
    let selling = tokio::spawn(async move {
        while closed.try_recv().is_err() {
            till.sell("a lamp of Ada's".into()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    });
    let artifacts = artifacts();
    std::fs::create_dir_all(&artifacts).unwrap();
    let mut command = python();
    let address = format!("http://{}", app.ops_address().unwrap());
    command.arg(script("live_page.py")).args([&address, TOKEN]).arg(&artifacts);
    let output = output(command).await;
    assert!(output.status.success(), "{}", said(&output));
    // Not in the middle of a sale: the ledger takes none any more once it stops.
    close.send(()).unwrap();
    selling.await.unwrap();
    stranger.close().await;
    app.stop().await.unwrap();
}
