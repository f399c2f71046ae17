//! What the operations page looks at: who may, what it is told, for how long.

use std::{net::SocketAddr, time::Duration};

use kinoko::{RunningApp, prelude::*};
use kinoko_tests::{eventually, soon, unique};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::client::{Answer, Wire};

const TOKEN: &str = "a token of operators";

#[derive(Dependencies)]
struct Till {
    ledger: LedgerClient,
}

#[service(name = "live_till", max_workers = 9)]
impl Till {
    #[rpc(sensitive(pin))]
    async fn sell(&self, article: String, pin: String) -> kinoko::Result<u32> {
        if pin.is_empty() {
            return Err(kinoko::Error::msg("no <b>pin</b> was given"));
        }
        Ok(self.ledger.note(article).await?)
    }
}

#[derive(Dependencies)]
struct Ledger;

#[service(name = "live_ledger")]
impl Ledger {
    #[rpc]
    fn note(&self, article: String) -> u32 {
        u32::try_from(article.len()).unwrap_or_default()
    }

    #[event_handler("live_orders", "placed", retry(max = 1))]
    fn on_placed(&self, _id: u64) -> Result<(), Verdict> {
        Err(DeadLetter::because("no room").into())
    }
}

async fn start(yaml: &str) -> (RunningApp, SocketAddr) {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.set("ops.address", "127.0.0.1:0");
    let app = App::new().service::<Till>().service::<Ledger>().version("1.2.3").settings(settings);
    let app = app.broker(format!("memory://{}", unique("live"))).start().await.unwrap();
    let address = app.ops_address().unwrap();
    (app, address)
}

async fn guarded() -> (RunningApp, SocketAddr) {
    start(&format!("{{ mode: production, ops: {{ token: {TOKEN} }} }}")).await
}

async fn ask(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut wire = Wire::to(address).await;
    wire.send(format!("GET {path} HTTP/1.1\r\nhost: orders.internal\r\n{headers}connection: close\r\n\r\n")).await;
    wire.answer().await
}

async fn look(address: SocketAddr) -> Value {
    let answer = ask(address, "/operations/live", &format!("authorization: Bearer {TOKEN}\r\n")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Who follows: what has come, and the end.
struct Follower {
    stream: TcpStream,
    text: String,
}

impl Follower {
    async fn new(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /operations/live HTTP/1.1\r\nhost: orders.internal\r\naccept: text/event-stream\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream, text: String::new() }
    }

    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 65_536];
        let count = soon("bytes, or the end", self.stream.read(&mut buffer)).await.unwrap_or(0);
        self.text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        count > 0
    }

    /// Waits for so many events in all.
    async fn events(&mut self, count: usize) {
        while self.text.matches("data: {").count() < count {
            assert!(self.more().await, "it ended: {}", self.text);
        }
    }
}

#[tokio::test]
async fn only_who_knows_the_token_looks() {
    let (app, address) = guarded().await;
    for path in ["/operations/live", "/operations/traces/1"] {
        let refused = ask(address, path, "").await;
        assert_eq!((refused.status, refused.header("cache-control")), (401, Some("no-store")), "{path}");
        let other = format!("authorization: Bearer {TOKEN}\r\norigin: http://evil.example\r\n");
        assert_eq!(ask(address, path, &other).await.status, 403, "{path}");
    }
    let unknown = ask(address, "/operations/traces/xyz", &format!("authorization: Bearer {TOKEN}\r\n")).await;
    assert_eq!((unknown.status, unknown.json()["code"].clone()), (404, json!("NO_SUCH_TRACE")));
    app.stop().await.unwrap();
    // In production nobody may where no token is set.
    let (app, address) = start("mode: production").await;
    assert_eq!(ask(address, "/operations/live", "authorization: Bearer x\r\n").await.status, 403);
    // The page itself holds nothing.
    assert_eq!(ask(address, "/operations", "").await.status, 200);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_snapshot_tells_what_happened_and_nothing_of_what_it_was_about() {
    let (app, address) = guarded().await;
    let till = app.client::<TillClient>();
    for _ in 0..3 {
        till.sell("a lamp of Ada's".into(), "hunter2".into()).await.unwrap();
    }
    till.sell("a lamp of Ada's".into(), String::new()).await.unwrap_err();
    app.events().dispatch_to("live_orders", "placed", &7).await.unwrap();

    let told = eventually(Duration::from_secs(20), "others, dead letters and a failed event are known", || async {
        let told = look(address).await;
        let letters = told["dead_letters"]["queues"][0]["letters"] == 1;
        let fleet = told["fleet"]["instances"][0]["services"][0]["total"].as_u64() >= Some(1);
        (letters && fleet).then_some(told)
    })
    .await;
    assert_eq!((&told["program"]["version"], &told["health"]["status"]), (&json!("1.2.3"), &json!("ready")));
    let of = |method: &str| {
        let entrypoints = told["entrypoints"].as_array().unwrap();
        entrypoints.iter().find(|entrypoint| entrypoint["method"] == method).unwrap().clone()
    };
    let sell = of("sell");
    assert_eq!((&sell["ended"]["ok"], &sell["ended"]["unexpected_error"]), (&json!(3), &json!(1)));
    assert!(sell["duration"]["p99_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(of("on_placed")["dead_letters"], 1);
    let call = told["calls"].as_array().unwrap().iter().find(|call| call["service"] == "live_ledger").unwrap();
    assert_eq!(call["ended"]["ok"], 3);
    let failure = told["failures"].as_array().unwrap().iter().find(|failure| failure["method"] == "sell").unwrap();
    assert!(failure["text"].as_str().unwrap().contains("no <b>pin</b> was given"));
    assert!(failure["call_id"].as_str().unwrap().starts_with("live_till.sell."));
    let queue = &told["dead_letters"]["queues"][0];
    assert_eq!((&queue["service"], &queue["method"]), (&json!("live_ledger"), &json!("on_placed")));
    // Still there: a look takes nothing.
    assert_eq!(app.dead_letters().queues().await.unwrap()[0].letters, 1);
    let instance = &told["fleet"]["instances"][0];
    assert_eq!((&instance["is_this"], &instance["pid"]), (&json!(true), &json!(std::process::id())));

    // A sale is one trace: the worker, its call, and the worker of that.
    let traces = told["traces"].as_array().unwrap();
    let sale = traces.iter().find(|trace| trace["spans"].as_u64() >= Some(3)).expect("a trace with a nested call");
    let path = format!("/operations/traces/{}", sale["trace_id"].as_str().unwrap());
    let trace = ask(address, &path, &format!("authorization: Bearer {TOKEN}\r\n")).await;
    let told_trace = trace.json();
    let lines: Vec<_> = told_trace["spans"].as_array().unwrap().iter().collect();
    let note = lines.iter().find(|span| span["what"] == "rpc" && span["name"] == "live_ledger/note").unwrap();
    let sold = lines.iter().find(|span| span["what"] == "rpc" && span["name"] == "live_till/sell").unwrap();
    assert!(note["depth"].as_u64() > sold["depth"].as_u64(), "{told_trace}");
    assert!(note["offset_ms"].as_f64() >= sold["offset_ms"].as_f64(), "{told_trace}");

    for secret in ["hunter2", "Ada's", TOKEN] {
        assert!(!told.to_string().contains(secret) && !trace.text().contains(secret), "{secret}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn who_follows_sees_a_snapshot_a_second_until_the_program_stops() {
    let (app, address) = guarded().await;
    let mut follower = Follower::new(address).await;
    let began = std::time::Instant::now();
    follower.events(3).await;
    assert!(began.elapsed() >= Duration::from_millis(1_800), "{:?}", began.elapsed());
    assert!(follower.text.contains("content-type: text/event-stream"), "{}", follower.text);
    // The first has no rates, the third those of two seconds.
    let last = follower.text.rsplit("data: ").next().unwrap();
    assert!(last.contains("\"rate\":0.0"), "{last}");
    let stopping = std::time::Instant::now();
    app.stop().await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(2), "who follows holds up no stop: {:?}", stopping.elapsed());
    soon("the end", async { while follower.more().await {} }).await;
    assert!(follower.text.ends_with("0\r\n\r\n"), "the stream is over, and not cut");
    // One that is dropped ends as well.
    let (app, address) = guarded().await;
    let mut follower = Follower::new(address).await;
    follower.events(1).await;
    drop(app);
    soon("the end", async { while follower.more().await {} }).await;
}

#[tokio::test]
async fn not_everybody_follows_at_once() {
    let (app, address) = guarded().await;
    let mut followers = Vec::new();
    for _ in 0..16 {
        let mut follower = Follower::new(address).await;
        follower.events(1).await;
        followers.push(follower);
    }
    let headers = format!("authorization: Bearer {TOKEN}\r\naccept: text/event-stream\r\n");
    let refused = soon("a refusal", ask(address, "/operations/live", &headers)).await;
    assert_eq!((refused.status, refused.json()["code"].clone()), (503, json!("TOO_MANY_LOOKING")));
    // One that goes makes room.
    drop(followers.pop());
    eventually(Duration::from_secs(20), "there is room", || async {
        let mut follower = Follower::new(address).await;
        follower.more().await;
        follower.text.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    app.stop().await.unwrap();
}
