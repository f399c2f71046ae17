//! gRPC with peers of other makes: Google's `grpcio` on either side, and nameko-grpc.

mod grpcio_in;
mod grpcio_out;
mod messages;
mod nameko_grpc;
mod secured;

use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use futures_util::{Stream, StreamExt, stream};
use kinoko::{RunningApp, Settings, Value, WorkerContext, grpc::Streaming, prelude::*};
use kinoko_tests::unique;
use tokio::sync::watch;

pub(crate) use self::proto::{Article, Context, Stock, Warehouse};

/// What the build script made of `protos/warehouse.proto`.
pub(crate) mod proto {
    kinoko::proto!("warehouse.v1");
}

/// Why nothing is reserved.
#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
pub(crate) enum WarehouseError {
    #[error("only {left} left of {sku}")]
    #[fault(code = "OUT_OF_STOCK", grpc = "FAILED_PRECONDITION")]
    OutOfStock { sku: String, left: i64 },
}

/// How many calls wait in `hold`.
static HOLDING: std::sync::LazyLock<watch::Sender<i64>> = std::sync::LazyLock::new(|| watch::Sender::new(0));

struct Holding;

impl Holding {
    fn begin() -> Self {
        HOLDING.send_modify(|count| *count += 1);
        Self
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        HOLDING.send_modify(|count| *count -= 1);
    }
}

#[derive(Dependencies)]
pub(crate) struct Keeper;

#[service(name = "warehouse", grpc = Warehouse)]
impl Keeper {
    #[grpc]
    #[rpc]
    async fn check(&self, article: Article) -> Stock {
        Stock { count: i64::try_from(article.sku.len()).unwrap(), sku: article.sku }
    }

    #[grpc]
    async fn receive(&self, mut stocks: Streaming<Stock>) -> kinoko::Result<Stock> {
        let mut total = Stock::default();
        while let Some(stock) = stocks.next().await {
            let stock = stock?;
            total = Stock { sku: stock.sku, count: total.count + stock.count };
        }
        Ok(total)
    }

    #[grpc]
    async fn watch(
        &self,
        article: Article,
    ) -> Result<impl Stream<Item = Result<Stock, WarehouseError>> + Send + use<>, WarehouseError> {
        let sku = article.sku.clone();
        let counts = (1..=3).map(move |count| Ok(Stock { sku: sku.clone(), count }));
        let end = (article.sku == "short").then_some(Err(WarehouseError::OutOfStock { sku: article.sku, left: 0 }));
        Ok(stream::iter(counts.chain(end)))
    }

    #[grpc]
    async fn chat(&self, stocks: Streaming<Stock>) -> impl Stream<Item = kinoko::Result<Stock>> + Send + use<> {
        stocks.map(|stock| stock.map(|stock| Stock { count: stock.count * 2, ..stock }))
    }

    #[grpc]
    async fn reserve(&self, stock: Stock) -> Result<Stock, WarehouseError> {
        Err(WarehouseError::OutOfStock { sku: stock.sku, left: 2 })
    }

    #[grpc]
    async fn hold(&self, _article: Article) {
        let _holding = Holding::begin();
        std::future::pending::<()>().await;
    }

    #[grpc]
    async fn seen(&self) -> Context {
        let context = WorkerContext::current().unwrap();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        Context {
            shard: text(context.header("x-shard")),
            tenant: text(context.get("tenant")),
            language: text(context.get("language")),
            has_deadline: context.header("x-shard").is_some() && context.remaining().is_some(),
        }
    }
}

/// The warehouse at a port of its own, with these settings of gRPC.
async fn warehouse(grpc: &str) -> RunningApp {
    let yaml = format!("grpc: {{address: '127.0.0.1:0', {grpc}}}\nops: {{address: '127.0.0.1:0'}}");
    let settings = Settings::from_yaml(&yaml).unwrap();
    let app = App::new().service::<Keeper>().settings(settings).broker(format!("memory://{}", unique("warehouse")));
    app.start().await.unwrap()
}

fn python(script: &str) -> Command {
    let python = env::var_os("KINOKO_TEST_PYTHON_GRPC").expect("tests that need it are ignored without");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command
        .arg(folder.join("python").join(script))
        .env("KINOKO_TEST_PROTOS", folder.join("protos"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // eventlet tells everybody that it is old.
        .env("PYTHONWARNINGS", "ignore")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// What a script prints, as JSON; it runs beside what the test serves.
async fn asked(script: &'static str, arguments: Vec<String>) -> Value {
    let run = tokio::task::spawn_blocking(move || {
        let output = python(script).args(&arguments).output().expect("python runs");
        assert!(output.status.success(), "{script} {arguments:?} failed");
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    });
    run.await.unwrap()
}

/// A server in Python, until it is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// It says at which port it listens.
    async fn start(script: &'static str, arguments: &[&str]) -> Self {
        let mut command = python(script);
        command.args(arguments);
        let starting = tokio::task::spawn_blocking(move || {
            let mut process = command.spawn().expect("python runs");
            let mut line = String::new();
            BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert!(!line.trim().is_empty(), "{script} ended before it listened");
            Self { process, address: format!("http://127.0.0.1:{}", line.trim()) }
        });
        starting.await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
