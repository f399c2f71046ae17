//! A collector of traces in this process, which keeps what it is sent.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::Span,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::eventually;

/// A span as it came.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The resource's `service.name`.
    pub service: String,
    /// The span itself.
    pub span: Span,
    /// What every request carried.
    pub authorization: Option<String>,
    resource: Vec<KeyValue>,
}

/// Listens where an exporter can be told to send.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Vec<Collected>>>,
    server: JoinHandle<()>,
}

struct Keeping(Arc<Mutex<Vec<Collected>>>);

#[tonic::async_trait]
impl TraceService for Keeping {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let authorization = request.metadata().get("authorization");
        let authorization = authorization.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            let service = text(&resource, "service.name").unwrap_or_default();
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let (service, authorization, resource) = (service.clone(), authorization.clone(), resource.clone());
                kept.push(Collected { service, span, authorization, resource });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// On a port of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::new(Mutex::default());
        let service = TraceServiceServer::new(Keeping(Arc::clone(&kept)));
        let serving = Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener));
        Self { address, kept, server: tokio::spawn(async move { serving.await.unwrap() }) }
    }

    /// What `otel.endpoint` is to be.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has come so far.
    pub fn spans(&self) -> Vec<Collected> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans once there are so many of one service and name.
    pub async fn until(&self, service: &str, name: &str, count: usize) -> Vec<Collected> {
        let is_it = |collected: &&Collected| collected.service == service && collected.span.name == name;
        eventually(Duration::from_secs(20), "the spans have come", || async {
            let spans = self.spans();
            (spans.iter().filter(is_it).count() >= count).then_some(spans)
        })
        .await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Collected {
    /// As text.
    pub fn trace_id(&self) -> String {
        self.span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An attribute of the span, as text.
    pub fn attribute(&self, key: &str) -> Option<String> {
        text(&self.span.attributes, key)
    }

    /// An attribute of its resource, as text.
    pub fn resource(&self, key: &str) -> Option<String> {
        text(&self.resource, key)
    }
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let AnyValue { value } = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    Some(match value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}
