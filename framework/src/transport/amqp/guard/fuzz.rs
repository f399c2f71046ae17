//! For the fuzz targets: the guard without a socket.

use lapin::protocol::basic::parse_properties;

use super::{frames::Frames, repair::repair};
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

/// What comes out of the guard when `bytes` come in pieces of these sizes, again and again.
pub fn through(bytes: &[u8], pieces: &[usize]) -> Vec<u8> {
    let mut pieces = pieces.iter().map(|piece| (*piece).max(1)).cycle();
    let (mut frames, mut came, mut rest) = (Frames::default(), Vec::new(), bytes);
    let mut buffer = [0; 512];
    loop {
        let piece = pieces.next().unwrap_or(1);
        let given = frames.give(&mut buffer[..piece.min(512)]);
        if given > 0 {
            came.extend_from_slice(&buffer[..given]);
            continue;
        }
        if rest.is_empty() {
            return came;
        }
        let straight = frames.straight().min(piece).min(rest.len());
        if straight > 0 {
            came.extend_from_slice(&rest[..straight]);
            frames.went_straight(straight);
            rest = &rest[straight..];
            continue;
        }
        let room = frames.room();
        let read = room.len().min(piece).min(rest.len());
        room[..read].copy_from_slice(&rest[..read]);
        frames.took(read);
        rest = &rest[read..];
    }
}
