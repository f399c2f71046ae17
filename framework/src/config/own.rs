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
    ("heartbeat", "5s"),
    ("redeclare_interval", "30s"),
    ("log", "info"),
    ("log_format", "text"),
    #[cfg(feature = "http")]
    ("http.timeout", "30s"),
    #[cfg(feature = "http")]
    ("http.body_timeout", "10s"),
    #[cfg(feature = "http")]
    ("http.max_body_bytes", "2097152"),
    #[cfg(feature = "http")]
    ("http.websocket.origins", "[]"),
    #[cfg(feature = "http")]
    ("http.websocket.max_message_bytes", "1048576"),
    #[cfg(feature = "http")]
    ("http.websocket.max_in_flight", "32"),
    #[cfg(feature = "http")]
    ("http.websocket.max_pending_bytes", "1048576"),
    #[cfg(feature = "http")]
    ("http.websocket.ping_interval", "20s"),
    #[cfg(feature = "http")]
    ("http.websocket.ping_timeout", "20s"),
];

/// What is known in every program.
pub(crate) fn own() -> impl Iterator<Item = SettingInfo> {
    OWN.iter().map(|(key, default)| SettingInfo::new(*key).default_text(*default))
}
