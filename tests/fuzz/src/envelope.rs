use kinoko::{
    codec::{DecodeError, Format},
    protocol::{Fault, Value, decode_reply, encode_reply},
};

use crate::{LONGEST_TEXT, TOO_DEEP, codec};

/// Replies: whatever is read is read again from what is written, in both codecs alike.
pub fn envelope(data: &[u8]) {
    let Some((format, other, body)) = codec(data) else { return };
    for outcome in [
        decode_reply::<u32>(&format, body).map(drop),
        decode_reply::<Option<String>>(&format, body).map(drop),
        decode_reply::<Vec<(u8, f64)>>(&format, body).map(drop),
        decode_reply::<()>(&format, body).map(drop),
    ] {
        bounded(outcome.err());
    }
    match decode_reply::<Value>(&format, body) {
        Ok(Ok(value)) => {
            for format in [&format, &other] {
                let written = encode_reply(format, Ok(&value)).expect("a value has a form in each codec");
                let read = decode_reply::<Value>(format, &written).expect("what was written is read");
                // A null is no result.
                assert_eq!(read.ok(), Some(value.clone()), "{format:?}");
            }
        }
        Ok(Err(fault)) => {
            for format in [&format, &other] {
                again(format, &fault);
            }
        }
        Err(error) => bounded(Some(error)),
    }
}

fn again(format: &Format, fault: &Fault) {
    let written = encode_reply::<()>(format, Err(fault)).expect("a fault has a form in each codec");
    match decode_reply::<Value>(format, &written) {
        Ok(read) => assert_eq!(read.as_ref().map_err(|fault| &**fault), Err(fault), "{format:?}"),
        Err(error) => assert!(error.text.contains(TOO_DEEP), "{format:?}: {error}"),
    }
}

fn bounded(error: Option<DecodeError>) {
    if let Some(error) = error {
        assert!(error.text.len() <= LONGEST_TEXT, "{error}");
    }
}
