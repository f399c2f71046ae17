//! A real Prometheus reads it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use kinoko::{
    App,
    prelude::*,
    resilience::{Class, Policy},
};
use kinoko_tests::{eventually, free_ports, unique};
use serde_json::Value;

use crate::scrape::{get, settings};

#[derive(Dependencies)]
struct Scraped {
    #[dependency(name = "scraped_things", help = "Things", labels = ["kind"])]
    things: kinoko::metrics::Counter<1>,
    #[dependency(name = "scraped_gateway", breaker, bulkhead = 3)]
    gateway: Policy,
}

#[service(name = "scraped")]
impl Scraped {
    #[rpc]
    async fn count(&self, kind: &str) {
        self.things.with([kind]).inc();
        self.gateway.run_with(|_: &()| Class::FAILURE, || async { Ok(()) }).await.ok();
    }
}

fn tool(name: &str) -> Command {
    let prometheus = env::var("KINOKO_TEST_PROMETHEUS").expect("the test is ignored without it");
    Command::new(Path::new(&prometheus).with_file_name(name))
}

/// A server of its own, which ends with the test.
struct Prometheus {
    process: Child,
    folder: PathBuf,
    address: std::net::SocketAddr,
}

impl Prometheus {
    fn scraping(target: std::net::SocketAddr) -> Self {
        let folder = env::temp_dir().join(unique("kinoko-prometheus"));
        fs::create_dir_all(&folder).unwrap();
        let config = format!(
            "global: {{scrape_interval: 200ms}}\nscrape_configs: [{{job_name: kinoko, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let [port] = free_ports::<1>();
        let process = tool("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--enable-feature=exemplar-storage", "--log.level=warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, folder, address: ([127, 0, 0, 1], port).into() }
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        tokio::net::TcpStream::connect(self.address).await.ok()?;
        let address = self.address;
        let path = path.to_owned();
        // It answers 503 until it is ready.
        let answer = tokio::spawn(async move { get(address, &path, "*/*").await }).await.ok()?;
        serde_json::from_str(&answer.text).ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn start() -> kinoko::RunningApp {
    let app = App::new().service::<Scraped>().settings(settings("{}")).start().await.unwrap();
    for _ in 0..3 {
        app.client::<ScrapedClient>().count("large").await.unwrap();
    }
    app
}

#[tokio::test]
#[cfg_attr(not(prometheus), ignore = "needs Prometheus: run ./test.sh")]
async fn prometheus_scrapes_everything_with_exemplars() {
    let app = start().await;
    let prometheus = Prometheus::scraping(app.ops_address().unwrap());
    let query = "/api/v1/query?query=kinoko_workers_total%7Bservice%3D%22scraped%22%2Coutcome%3D%22ok%22%7D";
    let found = eventually(Duration::from_secs(60), "the counter is there", || async {
        let answer = prometheus.ask(query).await?;
        let series = answer["data"]["result"].as_array()?.first()?.clone();
        Some(series)
    })
    .await;
    assert_eq!((&found["metric"]["method"], &found["metric"]["entrypoint"]), (&"count".into(), &"rpc".into()));
    assert_eq!(found["value"][1], "3");
    let own = prometheus.ask("/api/v1/query?query=scraped_things_total").await.unwrap();
    assert_eq!(own["data"]["result"][0]["metric"]["kind"], "large", "{own}");
    let up = prometheus.ask("/api/v1/targets").await.unwrap();
    let target = &up["data"]["activeTargets"][0];
    assert_eq!((&target["health"], &target["lastError"]), (&"up".into(), &"".into()), "{target}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let exemplars = format!(
        "/api/v1/query_exemplars?query=kinoko_worker_duration_seconds_bucket&start={}&end={}",
        now - 60,
        now + 60
    );
    let exemplars = prometheus.ask(&exemplars).await.unwrap();
    let labels = &exemplars["data"][0]["exemplars"][0]["labels"];
    assert_eq!(labels["trace_id"].as_str().unwrap().len(), 32, "{exemplars}");
    app.stop().await.unwrap();
}

/// What the dashboard asks, Prometheus understands, and what it asks for is there.
#[tokio::test]
#[cfg_attr(not(prometheus), ignore = "needs Prometheus: run ./test.sh")]
async fn the_dashboard_asks_for_what_there_is() {
    let app = start().await;
    let scraped = get(app.ops_address().unwrap(), "/metrics", "*/*").await.text;
    let prometheus = Prometheus::scraping(app.ops_address().unwrap());
    let board = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/grafana.json")).unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let panels = board["panels"].as_array().unwrap().iter();
    let queries: Vec<_> = panels
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().unwrap().replace("$service", ".*").replace("$__rate_interval", "1m"))
        .collect();
    assert!(queries.len() > 20);
    eventually(Duration::from_secs(60), "it answers", || prometheus.ask("/api/v1/status/buildinfo")).await;
    for query in queries {
        for name in
            query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("kinoko_"))
        {
            let family = name.trim_end_matches("_bucket");
            // Those of features that this program has no use for come with the first saga, and the first row.
            let later = ["kinoko_sagas_total", "kinoko_outbox_relayed_total"].contains(&family);
            assert!(later || scraped.contains(&format!("# TYPE {family} ")), "{family} of {query}");
        }
        let escaped: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = prometheus.ask(&format!("/api/v1/query?query={escaped}")).await;
        assert_eq!(answer.unwrap_or_default()["status"], "success", "{query}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(prometheus), ignore = "needs Prometheus: run ./test.sh")]
async fn promtool_has_nothing_to_say() {
    let app = start().await;
    let text = get(app.ops_address().unwrap(), "/metrics", "*/*").await.text;
    let mut check = tool("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}\n{text}");
    app.stop().await.unwrap();
}
