//! What each fuzz target asserts. `fuzz_targets` only hands the bytes over.

mod arguments;
mod envelope;
mod headers;
mod tagged_json;

pub use self::{
    arguments::arguments,
    envelope::envelope,
    headers::{frames, headers},
    tagged_json::tagged_json,
};

use kinoko::codec::Format;

/// Refusals repeat little of what they refuse: the cut is at 1024 bytes.
const LONGEST_TEXT: usize = 1200;
/// What was decoded may nest one level deeper when it is encoded again, and is refused then.
const TOO_DEEP: &str = "nests deeper";

/// The codec that the first byte names, and the body.
fn codec(data: &[u8]) -> Option<(Format, Format, &[u8])> {
    let (first, body) = data.split_first()?;
    Some(match first % 2 {
        0 => (Format::Json, Format::MessagePack, body),
        _ => (Format::MessagePack, Format::Json, body),
    })
}
