//! Whole services over a real RabbitMQ, and with real Python peers.

mod discovery;
mod events;
mod grpc;
mod idempotency;
mod nameko;
mod outage;
mod paths;
mod quickstart;
mod ready;
mod settings;
mod testing;
mod verdicts;
mod websockets;

/// How many calls a proof makes: few in every run, all of them under `./test.sh --proof`.
fn proof_calls(reduced: usize) -> usize {
    std::env::var("KINOKO_TEST_PROOF_CALLS").ok().and_then(|count| count.parse().ok()).unwrap_or(reduced)
}

/// Whether this is a proof, which may take its time.
fn proves() -> bool {
    std::env::var_os("KINOKO_TEST_PROOF_CALLS").is_some()
}
