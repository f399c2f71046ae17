//! kinoko's own settings.

use super::SettingInfo;

/// Key and default of each, in the order in which they are shown.
const OWN: &[(&str, &str)] = &[
    ("amqp_uri", "memory://"),
    ("amqp_tls", "false"),
    ("login_method", "plain"),
    ("max_workers", "256"),
    ("rpc_timeout", "30s"),
    ("dispatch_timeout", "30s"),
    ("grace_period", "25s"),
    ("rpc_codec", "msgpack"),
    ("serializer", "json"),
    ("max_body_bytes", "16777216"),
    ("parent_calls_tracked", "10"),
    ("shed_late", "true"),
    ("wire", "kinoko"),
    ("rpc_exchange", "nameko-rpc"),
    ("idempotency.window", "24h"),
    ("heartbeat", "5s"),
    ("redeclare_interval", "30s"),
    ("discovery.broker", "true"),
    ("discovery.dns_refresh", "5s"),
    ("discovery.wait", "5s"),
    ("log", "info"),
    ("log_format", "text"),
    ("traces.sample", "1"),
    ("traces.limit", "100"),
    ("traces.kept", "2000"),
];

/// Those of the HTTP server and the operations endpoints.
#[cfg(feature = "http")]
const HTTP: &[(&str, &str)] = &[
    ("http.address", "127.0.0.1:8000"),
    ("http.timeout", "30s"),
    ("http.body_timeout", "10s"),
    ("http.header_timeout", "5s"),
    ("http.idle_timeout", "60s"),
    ("http.max_body_bytes", "2097152"),
    ("http.max_header_bytes", "16384"),
    ("http.max_waiting", "1024"),
    ("http.max_connections", "10000"),
    ("http.compression", "true"),
    ("http.docs", "true"),
    ("http.cors.credentials", "false"),
    ("http.cors.max_age", "10m"),
    ("http.websocket.max_message_bytes", "1048576"),
    ("http.websocket.max_in_flight", "32"),
    ("http.websocket.max_pending_bytes", "1048576"),
    ("http.websocket.ping_interval", "20s"),
    ("http.websocket.ping_timeout", "20s"),
    ("ops.enabled", "true"),
    ("ops.address", "127.0.0.1:9000"),
];
#[cfg(not(feature = "http"))]
const HTTP: &[(&str, &str)] = &[];

/// Those of gRPC.
#[cfg(feature = "grpc")]
const GRPC: &[(&str, &str)] = &[
    ("grpc.address", "127.0.0.1:50051"),
    ("grpc.timeout", "30s"),
    ("grpc.body_timeout", "10s"),
    ("grpc.max_message_bytes", "4194304"),
    ("grpc.max_waiting", "1024"),
    ("grpc.max_concurrent_streams", "200"),
    ("grpc.compression", "false"),
    ("grpc.reflection", "true"),
    ("grpc.keep_alive", "60s"),
    ("grpc.keep_alive_timeout", "20s"),
    ("grpc.header_timeout", "5s"),
    ("grpc.idle_timeout", "1h"),
    ("grpc.max_header_bytes", "16384"),
    ("grpc.max_connections", "10000"),
    ("grpc.client.compression", "false"),
    ("grpc.client.connect_timeout", "5s"),
];
#[cfg(not(feature = "grpc"))]
const GRPC: &[(&str, &str)] = &[];

/// Those of Consul.
#[cfg(feature = "consul")]
const CONSUL: &[(&str, &str)] = &[
    ("consul.register", "true"),
    ("consul.check", "ttl"),
    ("consul.check_interval", "10s"),
    ("consul.deregister_after", "1m"),
];
#[cfg(not(feature = "consul"))]
const CONSUL: &[(&str, &str)] = &[];

/// Those of Prometheus.
#[cfg(feature = "metrics")]
const METRICS: &[(&str, &str)] = &[("metrics.enabled", "true")];
#[cfg(not(feature = "metrics"))]
const METRICS: &[(&str, &str)] = &[];

/// Those of traces that go to a collector.
#[cfg(feature = "otel")]
const OTEL: &[(&str, &str)] = &[("otel.interval", "1s"), ("otel.timeout", "10s"), ("otel.queue", "4096")];
#[cfg(not(feature = "otel"))]
const OTEL: &[(&str, &str)] = &[];

/// Those of what a database remembers.
#[cfg(feature = "sql")]
const SQL: &[(&str, &str)] = &[("idempotency.lease", "10s"), ("idempotency.sweep", "1m")];
#[cfg(not(feature = "sql"))]
const SQL: &[(&str, &str)] = &[];

/// Those of sagas.
#[cfg(feature = "saga")]
const SAGA: &[(&str, &str)] = &[("saga.log", "memory://"), ("saga.lease", "10s"), ("saga.keep", "30d")];
#[cfg(not(feature = "saga"))]
const SAGA: &[(&str, &str)] = &[];

/// Those that are nothing, or what another one says, where nobody sets them.
const WITHOUT_DEFAULT: &[&str] = &[
    "discovery.services",
    #[cfg(feature = "consul")]
    "consul.address",
    #[cfg(feature = "consul")]
    "consul.token",
    #[cfg(feature = "consul")]
    "consul.datacenter",
    #[cfg(feature = "consul")]
    "consul.tls.ca",
    #[cfg(feature = "consul")]
    "consul.tls.certificate",
    #[cfg(feature = "consul")]
    "consul.tls.key",
    #[cfg(feature = "consul")]
    "consul.advertise",
    #[cfg(feature = "consul")]
    "consul.tags",
    #[cfg(feature = "consul")]
    "consul.meta",
    #[cfg(any(feature = "http", feature = "jwt"))]
    "mode",
    #[cfg(feature = "http")]
    "http.tls.certificate",
    #[cfg(feature = "http")]
    "http.tls.key",
    #[cfg(feature = "http")]
    "http.tls.client_ca",
    #[cfg(feature = "grpc")]
    "grpc.tls.certificate",
    #[cfg(feature = "grpc")]
    "grpc.tls.key",
    #[cfg(feature = "grpc")]
    "grpc.tls.client_ca",
    #[cfg(feature = "grpc")]
    "grpc.client.tls.ca",
    #[cfg(feature = "grpc")]
    "grpc.client.tls.certificate",
    #[cfg(feature = "grpc")]
    "grpc.client.tls.key",
    #[cfg(feature = "grpc")]
    "grpc.client.tls.domain",
    #[cfg(feature = "http")]
    "http.cors.origins",
    #[cfg(feature = "http")]
    "http.cors.methods",
    #[cfg(feature = "http")]
    "http.cors.headers",
    #[cfg(feature = "http")]
    "http.websocket.origins",
    #[cfg(feature = "http")]
    "ops.token",
    #[cfg(feature = "metrics")]
    "metrics.buckets",
    #[cfg(feature = "otel")]
    "otel.endpoint",
    #[cfg(feature = "otel")]
    "otel.resource",
];

/// What is known in every program.
pub(crate) fn own() -> impl Iterator<Item = SettingInfo> {
    let with_default = OWN
        .iter()
        .chain(HTTP)
        .chain(GRPC)
        .chain(CONSUL)
        .chain(METRICS)
        .chain(OTEL)
        .chain(SQL)
        .chain(SAGA)
        .map(|(key, default)| SettingInfo::new(*key).default_text(*default));
    // What it carries is a secret, whatever it is called.
    #[cfg(feature = "otel")]
    let with_default = with_default.chain([SettingInfo::new("otel.headers").secret()]);
    with_default.chain(WITHOUT_DEFAULT.iter().map(|key| SettingInfo::new(*key)))
}
