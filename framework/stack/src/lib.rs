//! Sets the stack size of threads that are spawned without one.
//!
//! lapin parses message headers recursively, without a limit, on a thread whose stack size it does not set:
//! a message whose headers nest a few thousand arrays would overflow the default 2 MiB and abort the process.
//! kinoko lets no such headers through to it; the stack is the second line of defence.
//! The standard library reads `RUST_MIN_STACK` once, at the first thread spawned without an explicit size, so the
//! variable must be set at the start of `main`. `#[kinoko::main]` does.

/// 64 MiB: in a release build it survives the deepest headers that fit into a 128 KiB frame; a debug build of lapin takes more.
/// Address space only, until such a message comes.
pub const IO_STACK_BYTES: usize = 64 * 1024 * 1024;

/// What the standard library reads.
pub const VARIABLE: &str = "RUST_MIN_STACK";

/// Gives every thread that is spawned without an explicit stack size 64 MiB, unless `RUST_MIN_STACK` says more: address space only,
/// until a message needs it. The library that reads from RabbitMQ needs it for headers that nest deeply.
///
/// `#[kinoko::main]` calls it. In a `main` of your own it is the first line, before anything starts a thread, so also before a
/// runtime is built; afterwards it does nothing. That rules out `#[tokio::main]`, which starts threads before its first line.
///
/// # Examples
///
/// ```
/// fn main() -> Result<(), std::io::Error> {
///     kinoko_stack::enlarge_io_stack();
///     std::thread::spawn(|| assert_eq!(std::env::var("RUST_MIN_STACK").as_deref(), Ok("67108864"))).join().unwrap();
///     Ok(())
/// }
/// ```
pub fn enlarge_io_stack() {
    let chosen = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    if chosen.is_none_or(|bytes: usize| bytes < IO_STACK_BYTES) {
        std::env::set_var(VARIABLE, IO_STACK_BYTES.to_string());
    }
}
