//! Where frames begin and end. Only those that name things are kept until they are whole; a body is passed through.

use super::repair::repair;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// Type, channel and size.
const HEAD_BYTES: usize = 7;
/// What is read from the socket at once.
const CHUNK_BYTES: usize = 32 * 1024;
/// What the buffer keeps after a large frame.
const KEPT_BYTES: usize = 4 * CHUNK_BYTES;

/// The incoming bytes of one connection.
#[derive(Default)]
pub(super) struct Frames {
    /// `..given` is gone, `given..ready` may be given, `ready..taken` is not looked at yet, the rest is room.
    buffer: Vec<u8>,
    given: usize,
    ready: usize,
    taken: usize,
    /// How much of the present body frame is still to come.
    straight: usize,
    /// The peer does not speak AMQP frames: nothing is looked at any more.
    foreign: bool,
}

impl Frames {
    /// Room for what comes next, never empty.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.given == self.taken {
            (self.given, self.ready, self.taken) = (0, 0, 0);
            if self.buffer.len() > KEPT_BYTES {
                self.buffer = Vec::new();
            }
        } else if self.given > 0 && self.buffer.len() - self.taken < CHUNK_BYTES {
            self.buffer.copy_within(self.given..self.taken, 0);
            (self.given, self.ready, self.taken) = (0, self.ready - self.given, self.taken - self.given);
        }
        // Grows with what came, not with what a frame says of its size.
        if self.buffer.len() - self.taken < CHUNK_BYTES {
            self.buffer.resize(self.taken + CHUNK_BYTES, 0);
        }
        &mut self.buffer[self.taken..]
    }

    /// So many bytes of [`room`](Self::room) were filled.
    pub(super) fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        self.look();
    }

    /// Copies what may be given.
    pub(super) fn give(&mut self, out: &mut [u8]) -> usize {
        let bytes = (self.ready - self.given).min(out.len());
        out[..bytes].copy_from_slice(&self.buffer[self.given..self.given + bytes]);
        self.given += bytes;
        bytes
    }

    /// How many of the next bytes need no look, where nothing is kept.
    pub(super) fn straight(&self) -> usize {
        if self.given < self.taken {
            0
        } else if self.foreign {
            usize::MAX
        } else {
            self.straight
        }
    }

    /// So many of [`straight`](Self::straight) were read past this buffer.
    pub(super) fn went_straight(&mut self, bytes: usize) {
        self.straight = self.straight.saturating_sub(bytes);
    }

    fn look(&mut self) {
        loop {
            if self.foreign {
                self.ready = self.taken;
                return;
            }
            let passed = self.straight.min(self.taken - self.ready);
            self.straight -= passed;
            self.ready += passed;
            let frame = &mut self.buffer[self.ready..self.taken];
            let Some((&[kind, _, _, a, b, c, d], _)) = frame.split_first_chunk::<HEAD_BYTES>() else { return };
            let size = u32::from_be_bytes([a, b, c, d]) as usize;
            // One more for the byte that ends each frame.
            let whole = HEAD_BYTES + size + 1;
            match kind {
                METHOD | HEADER => {
                    if frame.len() < whole {
                        return;
                    }
                    // What stays unreadable is lapin's to refuse.
                    let _ = repair(kind == HEADER, &mut frame[HEAD_BYTES..HEAD_BYTES + size]);
                    self.ready += whole;
                }
                BODY | HEARTBEAT => self.straight = whole,
                _ => self.foreign = true,
            }
        }
    }
}

/// The guard without a socket: what comes out when `bytes` go in in pieces of these sizes and are taken out in pieces of those, each
/// list again and again.
#[cfg(any(test, feature = "__fuzz"))]
pub(super) fn through(bytes: &[u8], ins: &[usize], outs: &[usize]) -> Vec<u8> {
    let sizes = |sizes: &[usize]| sizes.iter().map(|size| (*size).max(1)).collect::<Vec<_>>().into_iter().cycle();
    let (mut ins, mut outs) = (sizes(ins), sizes(outs));
    let (mut frames, mut came, mut rest) = (Frames::default(), Vec::new(), bytes);
    loop {
        let (piece, out) = (ins.next().unwrap_or(1), outs.next().unwrap_or(1));
        let mut buffer = vec![0; out.min(CHUNK_BYTES)];
        let given = frames.give(&mut buffer);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 1], &size[..], payload, &[0xce]].concat()
    }

    #[test]
    fn frames_come_through_whole_however_they_are_cut() {
        let deliver = [&[0, 60, 0, 60, 3][..], b"c\xffc", &[0; 8], &[0, 1], b"e", &[2], b"k\xfe"].concat();
        let repaired = [&[0, 60, 0, 60, 3][..], b"c?c", &[0; 8], &[0, 1], b"e", &[2], b"k?"].concat();
        let stream = |deliver: &[u8]| {
            [
                frame(METHOD, deliver),
                frame(BODY, &[0xff; 300]),
                frame(HEARTBEAT, &[]),
                frame(METHOD, deliver),
                frame(BODY, &[]),
            ]
            .concat()
        };
        for piece in [1, 2, 3, 7, 8, 50, 1_000] {
            for out in [1, 3, 100, 1_000] {
                assert_eq!(through(&stream(&deliver), &[piece], &[out]), stream(&repaired), "{piece} {out}");
            }
        }
    }

    #[test]
    fn a_peer_that_speaks_something_else_is_passed_on() {
        let greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n\xff\xff";
        for piece in [1, 5, 100] {
            assert_eq!(through(greeting, &[piece], &[10]), greeting);
        }
    }

    #[test]
    fn a_size_is_not_believed_before_it_came() {
        let mut frames = Frames::default();
        let head = [METHOD, 0, 1, 0xff, 0xff, 0xff, 0xff];
        frames.room()[..7].copy_from_slice(&head);
        frames.took(7);
        assert_eq!((frames.give(&mut [0; 100]), frames.straight()), (0, 0));
        assert!(frames.room().len() <= CHUNK_BYTES && frames.buffer.len() <= 2 * CHUNK_BYTES);
    }
}
