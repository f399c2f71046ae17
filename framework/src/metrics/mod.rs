//! Prometheus: what a program counts of itself at `/metrics`, and counters of the service's own.
//!
//! Behind the feature `metrics`. Nothing is to be written for kinoko's own metrics, and `docs/grafana.json` draws them:
//!
//! | metric | labels | what |
//! | --- | --- | --- |
//! | `kinoko_workers_total` | service, method, entrypoint, outcome | workers that are over |
//! | `kinoko_worker_duration_seconds` | service, method, entrypoint | how long they ran: histogram |
//! | `kinoko_worker_queue_seconds` | service, method, entrypoint | how long they waited for a slot before: histogram |
//! | `kinoko_workers_in_flight` | service, method, entrypoint | those that run or wait for a slot |
//! | `kinoko_workers_busy`, `kinoko_workers_max` | service | slots that are taken, and how many there are |
//! | `kinoko_redeliveries_total` | service, method, entrypoint | workers whose message may have been given to one before |
//! | `kinoko_retries_total`, `kinoko_dead_letters_total` | service, method, entrypoint | messages tried again, and given up |
//! | `kinoko_client_calls_total` | service, method, outcome | calls of other services that are over |
//! | `kinoko_client_duration_seconds` | service, method | how long they took: histogram |
//! | `kinoko_client_in_flight` | service, method | those that wait |
//! | `kinoko_pending_replies` | | calls that wait for a reply, all of them |
//! | `kinoko_published_total` | outcome | messages sent: `confirmed`, `unrouted` (no queue took it), `failed` |
//! | `kinoko_broker_connected`, `kinoko_broker_reconnects_total` | | the connection to the broker |
//! | `kinoko_policy_calls_total` | service, policy, outcome | attempts under a [policy](crate::resilience::Policy) |
//! | `kinoko_policy_repeated_total` | service, policy | attempts that were made again |
//! | `kinoko_policy_fallbacks_total` | service, policy, outcome | fallbacks that were run: `ok`, `failed` |
//! | `kinoko_policy_in_flight`, `kinoko_policy_duration_seconds` | service, policy | attempts that are under way, and how long they took |
//! | `kinoko_circuit_state` | service, policy, state | 1 for the state that a circuit is in |
//! | `kinoko_circuit_opened_total` | service, policy | how often a circuit has opened |
//! | `kinoko_bulkhead_busy`, `kinoko_bulkhead_waiting`, `kinoko_bulkhead_max` | service, policy | places of a bulkhead |
//! | `kinoko_sagas_total` | service, saga, state | sagas that came to rest here, with the feature `saga` |
//! | `kinoko_outbox_relayed_total` | outcome | what the outbox sent, with the feature `sql` |
//! | `kinoko_build_info` | version, program, program_version | always 1 |
//! | `process_…` | | the process, as every Prometheus client tells it: CPU, memory, files, start |
//!
//! `entrypoint` is `rpc`, `event`, `consume`, `timer`, `http` (with a label `route` beside it), `websocket` or `saga`; `outcome` is `ok`, `expected_error`,
//! `unexpected_error`, `timeout`, `rejected` (not run: bad input, no such method, no right, no room) or `cancelled` (the caller or the
//! connection went away, or the program stops).
//! Labels are names that the program declares: whatever callers send counts as `other`.

mod collector;
mod exposition;
mod own;
mod process;
mod registry;
mod text;

pub(crate) use self::exposition::Exposition;
pub use self::own::{Counter, Gauge, Histogram, MetricOptions};
