//! kinoko's own metrics, read when somebody asks.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::SystemTime};

use super::{
    process::{Process, seconds},
    text::{Labels, Text},
};
use crate::{
    container::Program,
    observe::{CallSnapshot, EntrypointSnapshot},
    resilience::{BreakerState, PolicySight},
    transport::ConnectionState,
};

/// Everything that kinoko counts of one program.
pub(super) struct OwnMetrics {
    pub(super) program: Program,
    /// What people call the program, and its version.
    pub(super) name: String,
    pub(super) version: Option<String>,
    pub(super) started: SystemTime,
}

fn of_entrypoint(entrypoint: &EntrypointSnapshot) -> Labels<'_> {
    let of_method =
        [("service", entrypoint.service), ("method", entrypoint.method), ("entrypoint", entrypoint.kind.name())];
    // A method may have several routes, each with its own counters.
    of_method.into_iter().chain(entrypoint.route_label.as_deref().map(|route| ("route", route))).collect()
}

fn of_call(call: &CallSnapshot) -> Labels<'_> {
    vec![("service", &*call.service), ("method", &*call.method)]
}

fn of_policy(policy: &PolicySight) -> Labels<'_> {
    vec![("service", policy.service), ("policy", &*policy.name)]
}

/// One series for each way of ending.
fn by_outcome<'a>(
    labels: &Labels<'a>,
    ended: &'a BTreeMap<&'static str, u64>,
) -> impl Iterator<Item = (Labels<'a>, f64)> + use<'a> {
    let labels = labels.clone();
    ended.iter().map(move |(outcome, count)| ([&labels[..], &[("outcome", *outcome)]].concat(), *count as f64))
}

/// A number that stands alone.
fn alone(value: f64) -> [(Labels<'static>, f64); 1] {
    [(Vec::new(), value)]
}

impl OwnMetrics {
    pub(super) fn write(&self, text: &mut Text) {
        let seen = self.program.observer().snapshot();
        entrypoints(text, &seen.entrypoints);
        self.services(text);
        calls(text, &seen.calls);
        text.gauges(
            "kinoko_pending_replies",
            "Calls that wait for a reply",
            alone(self.program.pending_calls() as f64),
        );
        let published = [
            ("confirmed", seen.published_confirmed),
            ("unrouted", seen.published_unrouted),
            ("failed", seen.published_failed),
        ];
        let published = published.into_iter().map(|(outcome, count)| (vec![("outcome", outcome)], count as f64));
        text.counters("kinoko_published", "Messages that were sent, by what became of them", published);
        policies(text, &self.program.policies().look());
        self.features(text);
        self.broker(text, seen.reconnects);
        self.process(text);
    }

    fn services(&self, text: &mut Text) {
        let services = self.program.services();
        let each = |value: fn((usize, usize)) -> usize| {
            services.iter().map(move |service| (vec![("service", service.name)], value(service.busy) as f64))
        };
        text.gauges("kinoko_workers_busy", "Workers that run and wait for nobody", each(|(busy, _)| busy));
        text.gauges("kinoko_workers_max", "How many workers may run at once", each(|(_, most)| most));
    }

    /// What features count.
    fn features(&self, text: &mut Text) {
        let tallies = self.program.observer().tallies();
        let mut families: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for tally in &tallies {
            families.entry(tally.name).or_default().push(tally);
        }
        for (name, tallies) in families {
            let series = tallies.iter().map(|tally| {
                let labels = tally.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                (labels, tally.count.load(Ordering::Relaxed) as f64)
            });
            text.counters(name, tallies[0].help, series);
        }
    }

    fn broker(&self, text: &mut Text, reconnects: u64) {
        let connected = matches!(self.program.broker().1, ConnectionState::Connected | ConnectionState::Blocked(_));
        text.gauges(
            "kinoko_broker_connected",
            "Whether the broker is connected",
            alone(f64::from(u8::from(connected))),
        );
        let help = "How often the connection to the broker was lost and came back";
        text.counters("kinoko_broker_reconnects", help, alone(reconnects as f64));
    }

    fn process(&self, text: &mut Text) {
        let version = self.version.as_deref().unwrap_or_default();
        let labels =
            vec![("version", env!("CARGO_PKG_VERSION")), ("program", &*self.name), ("program_version", version)];
        text.gauges("kinoko_build_info", "What runs here", [(labels, 1.0)]);
        let process = Process::read();
        if let Some(cpu) = process.cpu_seconds {
            text.counters("process_cpu_seconds", "CPU time, user and system, in seconds", alone(cpu));
        }
        let numbers = [
            ("process_resident_memory_bytes", "Memory in RAM, in bytes", process.resident_bytes),
            ("process_virtual_memory_bytes", "Memory that is mapped, in bytes", process.virtual_bytes),
            ("process_threads", "Threads", process.threads),
            ("process_open_fds", "Open files", process.open_files),
            ("process_max_fds", "The most files that may be open", process.most_files),
        ];
        for (name, help, value) in numbers {
            if let Some(value) = value {
                text.gauges(name, help, alone(value as f64));
            }
        }
        let help = "When it started, in seconds since the Unix epoch";
        text.gauges("process_start_time_seconds", help, alone(seconds(self.started)));
    }
}

fn entrypoints(text: &mut Text, entrypoints: &[EntrypointSnapshot]) {
    let each = |value: fn(&EntrypointSnapshot) -> u64| {
        entrypoints.iter().map(move |seen| (of_entrypoint(seen), value(seen) as f64))
    };
    text.counters(
        "kinoko_workers",
        "Workers that are over, by how they ended",
        entrypoints.iter().flat_map(|seen| by_outcome(&of_entrypoint(seen), &seen.ended)),
    );
    text.histograms(
        "kinoko_worker_duration_seconds",
        "How long workers ran",
        entrypoints.iter().map(|seen| (of_entrypoint(seen), seen.duration.clone())),
    );
    text.histograms(
        "kinoko_worker_queue_seconds",
        "How long workers waited for a slot",
        entrypoints.iter().map(|seen| (of_entrypoint(seen), seen.queue_wait.clone())),
    );
    text.gauges("kinoko_workers_in_flight", "Workers that run or wait for a slot", each(|seen| seen.in_flight));
    let redelivered = "Workers whose message may have been given to one before";
    text.counters("kinoko_redeliveries", redelivered, each(|seen| seen.redelivered));
    text.counters("kinoko_retries", "Messages that are tried again", each(|seen| seen.retries));
    text.counters("kinoko_dead_letters", "Messages that became dead letters", each(|seen| seen.dead_letters));
}

fn calls(text: &mut Text, calls: &[CallSnapshot]) {
    text.counters(
        "kinoko_client_calls",
        "Calls of other services that are over, by how they ended",
        calls.iter().flat_map(|call| by_outcome(&of_call(call), &call.ended)),
    );
    text.histograms(
        "kinoko_client_duration_seconds",
        "How long calls of other services took",
        calls.iter().map(|call| (of_call(call), call.duration.clone())),
    );
    text.gauges(
        "kinoko_client_in_flight",
        "Calls of other services that wait",
        calls.iter().map(|call| (of_call(call), call.in_flight as f64)),
    );
}

/// What goes around calls.
fn policies(text: &mut Text, policies: &[PolicySight]) {
    let outcomes = policies.iter().flat_map(|policy| {
        policy.counted.ended.iter().map(move |(outcome, count)| {
            ([&of_policy(policy)[..], &[("outcome", outcome.name())]].concat(), *count as f64)
        })
    });
    text.counters("kinoko_policy_calls", "Attempts under a policy, by how they ended", outcomes);
    let each = |value: fn(&PolicySight) -> f64| policies.iter().map(move |policy| (of_policy(policy), value(policy)));
    let help = "Attempts that were made again";
    text.counters("kinoko_policy_repeated", help, each(|policy| policy.counted.repeated as f64));
    let fallbacks = policies.iter().flat_map(|policy| {
        [("ok", policy.counted.fallbacks_ok), ("failed", policy.counted.fallbacks_failed)]
            .map(|(outcome, count)| ([&of_policy(policy)[..], &[("outcome", outcome)]].concat(), count as f64))
    });
    text.counters("kinoko_policy_fallbacks", "Fallbacks that were run, by how they ended", fallbacks);
    text.gauges(
        "kinoko_policy_in_flight",
        "Attempts under a policy that are under way",
        each(|policy| policy.counted.in_flight as f64),
    );
    text.histograms(
        "kinoko_policy_duration_seconds",
        "How long attempts under a policy took",
        policies.iter().map(|policy| (of_policy(policy), policy.counted.duration.clone())),
    );
    let circuits = || policies.iter().filter_map(|policy| Some((policy, policy.circuit.as_ref()?)));
    let states = circuits().flat_map(|(policy, circuit)| {
        BreakerState::ALL.map(|state| {
            let labels = [&of_policy(policy)[..], &[("state", state.name())]].concat();
            (labels, f64::from(u8::from(state == circuit.state)))
        })
    });
    text.gauges("kinoko_circuit_state", "1 for the state that a circuit breaker is in", states);
    let opened = circuits().map(|(policy, circuit)| (of_policy(policy), circuit.opened as f64));
    text.counters("kinoko_circuit_opened", "How often a circuit breaker has opened", opened);
    let bulkheads = || policies.iter().filter_map(|policy| Some((policy, policy.bulkhead.as_ref()?)));
    let busy = bulkheads().map(|(policy, bulkhead)| (of_policy(policy), bulkhead.busy as f64));
    text.gauges("kinoko_bulkhead_busy", "Calls that have a place in a bulkhead", busy);
    let waiting = bulkheads().map(|(policy, bulkhead)| (of_policy(policy), bulkhead.waiting as f64));
    text.gauges("kinoko_bulkhead_waiting", "Calls that wait for a place in a bulkhead", waiting);
    let most = bulkheads().map(|(policy, bulkhead)| (of_policy(policy), bulkhead.concurrency as f64));
    text.gauges("kinoko_bulkhead_max", "How many calls have a place in a bulkhead at most", most);
}
