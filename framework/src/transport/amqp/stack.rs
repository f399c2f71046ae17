//! Whether the threads that lapin reads messages on have the stack that the deepest headers take.

use std::{fs, sync::Once, thread};

use kinoko_stack::IO_STACK_BYTES;

/// What a thread has used of its stack before it can measure what is left.
const USED_BYTES: usize = 256 * 1024;

/// Warns, once per process, where nothing but the [`guard`](super::guard) keeps deeply nested headers from ending it: lapin reads
/// them by recursion, and a second line of defence costs address space only.
pub(super) fn warn_if_small() {
    static LOOKED: Once = Once::new();
    if !tracing::enabled!(tracing::Level::WARN) {
        // Nobody would hear it; perhaps at the next connection.
        return;
    }
    LOOKED.call_once(|| {
        let Some(stack_bytes) = stack_of_new_threads() else { return };
        if stack_bytes + USED_BYTES < IO_STACK_BYTES {
            tracing::warn!(
                stack_bytes,
                "the threads that read from RabbitMQ have a small stack: only one line of defence keeps deeply nested headers from \
                 ending this process. Write `#[kinoko::main]` above `async fn main`; or, in a `fn main` of your own, `kinoko::enlarge_io_stack();` as \
                 its first line, before anything starts a thread"
            );
        }
    });
}

/// How much stack a thread has that is spawned without a size, as lapin spawns its own.
///
/// Measured, since the standard library reads `RUST_MIN_STACK` only once: a program that sets it too late has the variable and
/// not the stack. Only Linux tells where a stack ends; elsewhere the variable has to do.
fn stack_of_new_threads() -> Option<usize> {
    let measured = thread::Builder::new().name("kinoko-stack".to_owned()).spawn(left).ok()?.join().ok()?;
    measured.or_else(|| std::env::var(kinoko_stack::VARIABLE).map_or(Some(0), |text| text.parse().ok()))
}

/// How much is left of this thread's stack: from here down to where its mapping begins.
fn left() -> Option<usize> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let here = std::ptr::from_ref(&maps) as usize;
    maps.lines().find_map(|line| {
        let (begin, end) = line.split_once(' ')?.0.split_once('-')?;
        let (begin, end) = (usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        (begin..end).contains(&here).then(|| here - begin)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_stack_of_a_thread_is_measured() {
        for mebibytes in [1, 8, 64] {
            let bytes = mebibytes * 1024 * 1024;
            let left = thread::Builder::new().stack_size(bytes).spawn(left).unwrap().join().unwrap().unwrap();
            assert!((bytes - USED_BYTES..=bytes + USED_BYTES).contains(&left), "{left} of {bytes}");
        }
    }
}
