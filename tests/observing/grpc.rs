//! What is seen of gRPC calls, on either side: one trace, counters.

use kinoko::{App, grpc::GrpcClient, prelude::*};
use kinoko_tests::{
    Collected, Collector,
    protos::stock::{Item, Level, Stock},
};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::scrape::{get, scrape, settings};

#[derive(Dependencies)]
struct GrpcFront {
    middle: GrpcMiddleClient,
}

#[service(name = "grpc_front")]
impl GrpcFront {
    #[http(GET, "/left/{sku}")]
    async fn left(&self, sku: String) -> kinoko::Result<u32> {
        Ok(self.middle.left(sku).await?)
    }
}

#[derive(Dependencies)]
struct GrpcMiddle {
    stock: GrpcClient<Stock>,
}

#[service(name = "grpc_middle")]
impl GrpcMiddle {
    #[rpc]
    async fn left(&self, sku: String) -> kinoko::Result<u32> {
        Ok(self.stock.check(Item { sku }).await?.left)
    }
}

#[derive(Dependencies)]
struct GrpcBack;

#[service(name = "grpc_back")]
impl GrpcBack {
    #[grpc(Stock::check)]
    fn check(&self, request: Item) -> Level {
        Level { sku: request.sku, left: 3 }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_over_http_rpc_and_grpc_and_counters_of_both_sides() {
    let collector = Collector::start().await;
    let mut settings = settings("grpc: {address: '127.0.0.1:0'}");
    settings.set("otel.endpoint", collector.endpoint());
    settings.set("otel.interval", "50ms");
    let app = App::new().service::<GrpcFront>().service::<GrpcMiddle>().service::<GrpcBack>();
    let app = app.settings(settings).start().await.unwrap();
    assert_eq!(get(app.http_address().unwrap(), "/left/TEAPOT", "*/*").await.text, "3");
    let scraped = scrape(&app).await;
    let workers = scraped.lines("kinoko_workers_total{");
    let of_back: Vec<_> = workers.iter().filter(|line| line.contains("grpc_back") && line.contains("grpc\"")).collect();
    assert!(of_back.iter().any(|line| line.contains("outcome=\"ok\"") && line.ends_with(" 1.0")), "{workers:?}");
    let calls = scraped.lines("kinoko_client_calls_total{");
    assert!(calls.iter().any(|line| line.contains("kinoko.tests.v1.Stock") && line.ends_with(" 1.0")), "{calls:?}");
    app.stop().await.unwrap();
    let spans = collector.spans();
    let find = |service: &str, kind: SpanKind, name: &str| -> &Collected {
        let found = spans
            .iter()
            .find(|found| found.service == service && found.span.kind == kind as i32 && found.span.name.contains(name));
        found.unwrap_or_else(|| {
            panic!("{service} {name} is not in {:?}", spans.iter().map(|found| &found.span.name).collect::<Vec<_>>())
        })
    };
    let chain = [
        find("grpc_front", SpanKind::Server, "/left/{sku}"),
        find("grpc_front", SpanKind::Client, "grpc_middle/left"),
        find("grpc_middle", SpanKind::Server, "grpc_middle/left"),
        find("grpc_middle", SpanKind::Client, "kinoko.tests.v1.Stock/Check"),
        find("grpc_back", SpanKind::Server, "kinoko.tests.v1.Stock/Check"),
    ];
    for pair in chain.windows(2) {
        assert_eq!(pair[1].span.parent_span_id, pair[0].span.span_id, "{}", pair[1].span.name);
        assert_eq!(pair[1].trace_id(), chain[0].trace_id());
    }
    let said = |key: &str| chain[4].attribute(key).unwrap_or_default();
    assert_eq!(
        (said("rpc.system"), said("rpc.service"), said("rpc.method")),
        ("grpc".into(), "kinoko.tests.v1.Stock".into(), "Check".into())
    );
}
