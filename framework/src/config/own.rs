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
    ("wire", "kinoko"),
    ("rpc_exchange", "nameko-rpc"),
    ("idempotency.window", "24h"),
    ("heartbeat", "5s"),
    ("redeclare_interval", "30s"),
    ("log", "info"),
    ("log_format", "text"),
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
const WITHOUT_DEFAULT: &[&str] = match cfg!(feature = "http") {
    true => &[
        "http.tls.certificate",
        "http.tls.key",
        "http.cors.origins",
        "http.cors.methods",
        "http.cors.headers",
        "http.websocket.origins",
        "ops.token",
    ],
    false => &[],
};

/// What is known in every program.
pub(crate) fn own() -> impl Iterator<Item = SettingInfo> {
    let with_default = OWN
        .iter()
        .chain(HTTP)
        .chain(SQL)
        .chain(SAGA)
        .map(|(key, default)| SettingInfo::new(*key).default_text(*default));
    let mode = cfg!(any(feature = "http", feature = "jwt")).then_some(&"mode");
    with_default.chain(mode.into_iter().chain(WITHOUT_DEFAULT).map(|key| SettingInfo::new(*key)))
}
