use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderName};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig, tonic_types::metadata::MetadataMap};
use opentelemetry_sdk::{Resource, trace::SpanExporter as _};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{Todo, convert::convert, settings::OtelSettings};
use crate::{Error, ErrorKind, Result, observe::Span};

/// As many go in one request.
const MOST_TOGETHER: usize = 512;

/// How many spans found no room.
#[derive(Default)]
pub(super) struct Dropped(AtomicU64);

impl Dropped {
    pub(super) fn count(&self) {
        // At 1, 2, 4, 8 …: a collector that is away must not fill the log.
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(count, "spans are dropped: the collector takes them slower than they come (`otel.queue`)");
        }
    }
}

/// Gathers spans, and sends them.
pub(super) struct Batches {
    exporter: SpanExporter,
    settings: OtelSettings,
    /// What is true of all services of the program.
    common: Vec<KeyValue>,
    messaging: &'static str,
    waiting: Vec<Arc<Span>>,
    failures: u64,
}

impl Batches {
    pub(super) fn new(settings: OtelSettings, version: Option<&str>, broker: &str) -> Result<Self> {
        let refuse = |text: String| Error::new(ErrorKind::Config, text);
        let builder = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(&settings.endpoint)
            .with_timeout(settings.timeout)
            .with_metadata(metadata(&settings.headers)?);
        #[cfg(feature = "tls")]
        let builder = match settings.endpoint.starts_with("https://") {
            true => builder.with_tls_config(
                opentelemetry_otlp::tonic_types::transport::ClientTlsConfig::new().with_native_roots(),
            ),
            false => builder,
        };
        let exporter = builder.build().map_err(|error| refuse(format!("setting `otel.endpoint`: {error}")))?;
        let mut common = vec![
            KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()),
            KeyValue::new("telemetry.sdk.name", "kinoko"),
            KeyValue::new("telemetry.sdk.language", "rust"),
            KeyValue::new("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("process.pid", i64::from(std::process::id())),
        ];
        common.extend(version.map(|version| KeyValue::new("service.version", version.to_owned())));
        common.extend(settings.resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())));
        let messaging = if broker.starts_with("memory://") { "kinoko-memory" } else { "rabbitmq" };
        Ok(Self { exporter, settings, common, messaging, waiting: Vec::new(), failures: 0 })
    }

    /// Sends what comes, until nobody can send any more.
    pub(super) async fn run(mut self, mut todo: mpsc::Receiver<Todo>) {
        while let Some(first) = todo.recv().await {
            let mut flushed = Vec::new();
            self.take(first, &mut flushed);
            let until = Instant::now() + self.settings.interval;
            while flushed.is_empty() && self.waiting.len() < MOST_TOGETHER {
                match timeout_at(until, todo.recv()).await {
                    Ok(Some(next)) => self.take(next, &mut flushed),
                    Ok(None) | Err(_) => break,
                }
            }
            self.send().await;
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    fn take(&mut self, todo: Todo, flushed: &mut Vec<tokio::sync::oneshot::Sender<()>>) {
        match todo {
            Todo::Send(span) => self.waiting.push(span),
            Todo::Flush(done) => flushed.push(done),
        }
    }

    async fn send(&mut self) {
        let mut by_service: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
        for span in std::mem::take(&mut self.waiting) {
            by_service.entry(span.owner).or_default().push(convert(&span, self.messaging));
        }
        for (service, spans) in by_service {
            let attributes = self.common.iter().cloned().chain([KeyValue::new("service.name", service)]);
            self.exporter.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
            let limit = self.settings.timeout + Duration::from_secs(1);
            let failed = match timeout(limit, self.exporter.export(spans)).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("it took too long".to_owned()),
            };
            if let Some(error) = failed {
                self.failures += 1;
                if self.failures.is_power_of_two() {
                    let endpoint = &self.settings.endpoint;
                    tracing::warn!(
                        endpoint,
                        failures = self.failures,
                        error,
                        "spans could not be sent to the collector"
                    );
                }
            }
        }
    }
}

fn metadata(headers: &BTreeMap<String, String>) -> Result<MetadataMap> {
    let mut metadata = HeaderMap::new();
    for (name, value) in headers {
        // The value is a secret.
        let refuse = || Error::new(ErrorKind::Config, format!("setting `otel.headers`: `{name}` cannot be a header"));
        let name: HeaderName = name.parse().map_err(|_| refuse())?;
        metadata.insert(name, value.parse().map_err(|_| refuse())?);
    }
    Ok(MetadataMap::from_headers(metadata))
}
