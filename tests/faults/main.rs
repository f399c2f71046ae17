//! Faults of brokers, networks, processes and methods, on a real RabbitMQ, and the promises that hold through them.
//!
//! `./test.sh --proof faults` runs them in full and prints what docs/reference/reliability.md tells.

mod alarm;
mod broker;
mod dispatching;
mod events;
mod executor;
mod gateway;
mod instance;
mod load;
mod network;
mod node;
mod ordered;
mod outbox;
mod poison;
mod rolling;
mod sagas;
mod trial;

use std::time::Duration;

/// One line of the table in docs/reference/reliability.md: `cargo test … -- --nocapture` shows it.
#[expect(clippy::print_stdout)]
fn report(fault: &str, figures: &str) {
    println!("{fault}: {figures}");
}

/// How long a fault lasts: shorter in every run than in the proof.
fn in_full(full: Duration, reduced: Duration) -> Duration {
    if std::env::var_os("KINOKO_TEST_PROOF_FAULTS").is_some() { full } else { reduced }
}
