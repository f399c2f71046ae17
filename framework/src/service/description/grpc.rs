//! Methods that a gRPC call fires.

use serde_json::json;

use crate::{
    protocol::Value,
    service::{GrpcInfo, millis},
};

/// `inventory.v1.Inventory/WatchStock(StockRequest) -> stream Stock`, as the file has it, with the types as the code has them.
pub(crate) fn grpc(method: &GrpcInfo) -> String {
    let (streams_requests, streams_responses) = method.streams;
    let stream = |is_stream: bool| if is_stream { "stream " } else { "" };
    let mut text =
        format!("{}({}{})", method.path.trim_start_matches('/'), stream(streams_requests), inner(method.request));
    if !method.returns.is_empty() {
        text.push_str(&format!(" -> {}{}", stream(streams_responses), inner(method.returns)));
    }
    text
}

pub(super) fn grpc_json(method: &GrpcInfo) -> Value {
    let (streams_requests, streams_responses) = method.streams;
    json!({
        "kind": "grpc",
        "name": method.method,
        "doc": method.doc,
        "signature": grpc(method),
        "service": method.service,
        "path": method.path,
        "streams_requests": streams_requests,
        "streams_responses": streams_responses,
        "request": inner(method.request),
        "returns": inner(method.returns),
        "timeout_ms": method.timeout.map(millis),
        "max_workers": method.max_workers,
    })
}

/// The message of what is written: of `Streaming<Item>`, and of `impl Stream<Item = Result<Level, StockError>> + Send`.
fn inner(written: &'static str) -> &'static str {
    let message = match written.split_once("Item = ") {
        Some((_, item)) => item.split_once("Result<").map_or(item, |(_, result)| result),
        None => written.split_once("Streaming<").map_or(written, |(_, item)| item),
    };
    match message.len() == written.len() {
        true => written,
        false => message.split([',', '>']).next().unwrap_or(message),
    }
}

#[cfg(test)]
mod tests {
    use super::inner;

    #[test]
    fn of_a_stream_its_messages_are_named() {
        for (written, message) in [
            ("Item", "Item"),
            ("()", "()"),
            ("Streaming<Item>", "Item"),
            ("impl Stream<Item = Result<Level, StockError>> + Send + use<>", "Level"),
            ("BoxStream<'static, Result<Level, StockError>>", "BoxStream<'static, Result<Level, StockError>>"),
        ] {
            assert_eq!(inner(written), message);
        }
    }
}
