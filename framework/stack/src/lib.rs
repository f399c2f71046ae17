//! Sets the stack size of threads that are spawned without one.
//!
//! lapin parses message headers recursively, without a limit, on a thread whose stack size it does not set:
//! a message whose headers nest a few thousand arrays would overflow the default 2 MiB and abort the process.
//! The standard library reads `RUST_MIN_STACK` once, at the first thread spawned without an explicit size, so the
//! variable must be set at the start of `main`. `#[kinoko::main]` does.

/// 64 MiB: survives the deepest headers that fit into a 128 KiB frame. Address space only, until such a message comes.
pub const IO_STACK_BYTES: usize = 64 * 1024 * 1024;

const VARIABLE: &str = "RUST_MIN_STACK";

/// Makes every thread that is spawned from now on without an explicit stack size get [`IO_STACK_BYTES`], unless the user
/// chose a larger one. Call it first thing in `main`, before any other thread runs.
pub fn enlarge_io_stack() {
    let chosen = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    if chosen.is_none_or(|bytes: usize| bytes < IO_STACK_BYTES) {
        std::env::set_var(VARIABLE, IO_STACK_BYTES.to_string());
    }
}
