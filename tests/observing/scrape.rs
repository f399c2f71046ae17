//! A scrape, as its reader sees it.

use std::net::SocketAddr;

use kinoko::{RunningApp, Settings};
use kinoko_tests::soon;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a program answered.
pub(crate) struct Scrape {
    pub(crate) content_type: String,
    pub(crate) text: String,
}

/// With an operations port of its own.
pub(crate) fn settings(yaml: &str) -> Settings {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.set("ops.address", "127.0.0.1:0");
    settings.set("http.address", "127.0.0.1:0");
    settings
}

/// In OpenMetrics, as Prometheus asks for it.
pub(crate) async fn scrape(app: &RunningApp) -> Scrape {
    get(app.ops_address().unwrap(), "/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5").await
}

pub(crate) async fn get(address: SocketAddr, path: &str, accept: &str) -> Scrape {
    ask(address, path, &[("accept", accept)]).await
}

pub(crate) async fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Scrape {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let ask = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = soon("an answer", ask).await;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    Scrape { content_type: content_type.to_owned(), text: text.to_owned() }
}

impl Scrape {
    /// The value of one series, named as the text has it: `kinoko_workers_total{service="a",…}`.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let rest = self.text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        rest.split(' ').next()?.parse().ok()
    }

    /// Every line that begins so.
    pub(crate) fn lines(&self, begin: &str) -> Vec<&str> {
        self.text.lines().filter(|line| line.starts_with(begin)).collect()
    }
}
