//! Traces to a collector, by OTLP over gRPC.
//!
//! Behind the feature `otel`, and on where the setting `otel.endpoint` names a collector. What a span is, which trace it belongs to and
//! whether it is recorded, `observe` says; here it is written as OpenTelemetry's conventions want it, and sent.
//!
//! Not the SDK's batch processor: it keeps a thread of its own, and one for each service's name. See `docs/decisions`.

mod batches;
mod convert;
mod settings;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use self::{batches::Batches, settings::OtelSettings};
use crate::{
    Result, Settings,
    observe::{Span, SpanSink},
    task::Tasks,
};

/// Sends spans to a collector, some at a time.
pub(crate) struct Otel {
    spans: mpsc::Sender<Todo>,
    dropped: batches::Dropped,
}

/// What the task that sends is given.
enum Todo {
    Send(Arc<Span>),
    /// Sends what there is, and tells when it is done.
    Flush(tokio::sync::oneshot::Sender<()>),
}

impl Otel {
    /// What the settings ask for; `None`: nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for settings that make no sense.
    pub(crate) fn make(settings: &Settings, version: Option<&str>, broker: &str) -> Result<Option<Arc<dyn SpanSink>>> {
        let Some(settings) = OtelSettings::read(settings)? else { return Ok(None) };
        let (spans, todo) = mpsc::channel(settings.queue);
        let batches = Batches::new(settings, version, broker)?;
        Tasks::new().spawn_detached(batches.run(todo));
        Ok(Some(Arc::new(Self { spans, dropped: batches::Dropped::default() })))
    }
}

impl SpanSink for Otel {
    fn span(&self, span: &Arc<Span>) {
        if self.spans.try_send(Todo::Send(span.clone())).is_err() {
            // A collector that is away must cost neither memory nor calls.
            self.dropped.count();
        }
    }

    fn flush(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let (done, told) = tokio::sync::oneshot::channel();
            if self.spans.send(Todo::Flush(done)).await.is_ok() {
                let _ = told.await;
            }
        })
    }
}
