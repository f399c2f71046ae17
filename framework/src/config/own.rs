//! kinoko's own settings.

use super::SettingInfo;

/// Key and default of each, in the order in which they are shown.
const OWN: [(&str, &str); 17] = [
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
    ("heartbeat", "5s"),
    ("redeclare_interval", "30s"),
    ("log", "info"),
    ("log_format", "text"),
];

/// Those of the HTTP server and the operations endpoints. Without a default: nothing, or what another setting says.
#[cfg(feature = "http")]
const HTTP: [(&str, Option<&str>); 20] = [
    ("mode", None),
    ("http.address", Some("127.0.0.1:8000")),
    ("http.timeout", Some("30s")),
    ("http.body_timeout", Some("10s")),
    ("http.header_timeout", Some("5s")),
    ("http.idle_timeout", Some("60s")),
    ("http.max_body_bytes", Some("2097152")),
    ("http.max_header_bytes", Some("16384")),
    ("http.max_connections", Some("10000")),
    ("http.compression", Some("true")),
    ("http.tls.certificate", None),
    ("http.tls.key", None),
    ("http.cors.origins", None),
    ("http.cors.methods", None),
    ("http.cors.headers", None),
    ("http.cors.credentials", Some("false")),
    ("http.cors.max_age", Some("10m")),
    ("ops.enabled", Some("true")),
    ("ops.address", Some("127.0.0.1:9000")),
    ("ops.token", None),
];

/// What is known in every program.
pub(crate) fn own() -> impl Iterator<Item = SettingInfo> {
    let own = OWN.into_iter().map(|(key, default)| SettingInfo::new(key).default_text(default));
    #[cfg(feature = "http")]
    let own = own.chain(HTTP.into_iter().map(|(key, default)| match default {
        Some(default) => SettingInfo::new(key).default_text(default),
        None => SettingInfo::new(key),
    }));
    own
}
