use std::cell::Cell;

use bytes::Bytes;

/// What a thread keeps between messages; one that took more for a large message gives it back.
const KEPT_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Writes into a buffer that the thread keeps, so that a message costs one allocation of its own size and none on the way there.
pub(super) fn write<E>(encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    // Taken, not borrowed: a value that encodes another one on its way finds an empty buffer, which is slower and right.
    let mut buffer = BUFFER.take();
    buffer.clear();
    let encoded = encode(&mut buffer).map(|()| Bytes::copy_from_slice(&buffer));
    if buffer.capacity() <= KEPT_BYTES {
        BUFFER.set(buffer);
    }
    encoded
}
