//! Faults of brokers, networks, processes and methods, on a real RabbitMQ, and the promises that hold through them.
//!
//! `./test.sh --proof faults` runs them in full and prints what docs/reference/reliability.md tells.

mod instance;
mod poison;

/// One line of the table in docs/reference/reliability.md: `cargo test … -- --nocapture` shows it.
#[expect(clippy::print_stdout)]
fn report(fault: &str, figures: &str) {
    println!("{fault}: {figures}");
}
