//! Which answers are worth compressing.

use axum::http::{Response, header};
use hyper::body::Body;
use tower_http::compression::{CompressionLayer, predicate::Predicate};

use crate::codec::essence;

/// Below this a body fits into one packet anyway.
const LEAST_BYTES: u64 = 1024;

/// gzip, for callers that take it.
pub(super) fn layer() -> CompressionLayer<Worthwhile> {
    CompressionLayer::new().compress_when(Worthwhile)
}

/// Text of a known length that is not tiny.
///
/// A stream has no known length: its pieces, such as server-sent events, would wait in the encoder for more. What has a
/// `Content-Encoding` already is left alone by the layer itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worthwhile;

impl Predicate for Worthwhile {
    fn should_compress<B: Body>(&self, response: &Response<B>) -> bool {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let declared = || header(header::CONTENT_LENGTH)?.parse().ok();
        let length = response.body().size_hint().exact().or_else(declared);
        length.is_some_and(|length| length >= LEAST_BYTES) && header(header::CONTENT_TYPE).is_some_and(is_text)
    }
}

/// Whether a content type is one that compresses.
fn is_text(content_type: &str) -> bool {
    let essence = essence(content_type).to_ascii_lowercase();
    let known = ["application/json", "application/javascript", "application/xml", "application/wasm", "image/svg+xml"];
    (essence.starts_with("text/") && essence != "text/event-stream")
        || known.contains(&essence.as_str())
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_what_is_compressed_already() {
        for text in ["text/html; charset=utf-8", "application/json", "application/problem+json", "IMAGE/svg+xml"] {
            assert!(is_text(text), "{text}");
        }
        for other in ["text/event-stream", "image/png", "application/zip", "application/octet-stream", ""] {
            assert!(!is_text(other), "{other}");
        }
    }
}
