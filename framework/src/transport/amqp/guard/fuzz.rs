//! For the fuzz targets: the guard without a socket.

use lapin::protocol::basic::parse_properties;

use super::{frames, repair::repair};
use crate::{protocol::Properties, transport::amqp::convert::received};

/// The payload of a header frame as a service sees it; `None` where it follows no grammar.
///
/// # Panics
///
/// Where lapin cannot read what was repaired.
pub fn header(payload: &mut [u8]) -> Option<Properties> {
    const CLASS_WEIGHT_SIZE: usize = 12;
    let readable = repair(true, payload);
    let mut again = payload.to_vec();
    assert_eq!((repair(true, &mut again), &*again), (readable, &*payload), "a second repair changes nothing");
    readable.then(|| {
        let (_, properties) = parse_properties(&payload[CLASS_WEIGHT_SIZE..]).expect("lapin reads what was repaired");
        received(&properties)
    })
}

/// What comes out of the guard when `bytes` come in pieces of these sizes, again and again, and are taken out in such pieces.
pub fn through(bytes: &[u8], pieces: &[usize]) -> Vec<u8> {
    frames::through(bytes, pieces, pieces)
}
