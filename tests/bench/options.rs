//! The command line.

use std::time::Duration;

use crate::{
    events::{self, QueueType},
    grpc, http, outbox,
    payload::Codec,
    rpc::{self, Path},
    sagas,
};

const USAGE: &str =
    "usage: performance [rpc|events|http|grpc|outbox|sagas|policies] [--quick] [--only memory|amqp] [--rounds N] [--seconds S] [--broker URL]
         of rpc alone:    [--codec msgpack|json] [--path short|nameko]
         of events alone: [--queue classic|quorum] [--backlog N]
         of outbox alone: [--backlog N]
       performance --soak CALLS | --start
The broker is KINOKO_TEST_AMQP_URI where --broker does not say, else amqp://guest:guest@127.0.0.1:5672.";

/// What was asked for.
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) rpc: bool,
    pub(crate) events: bool,
    pub(crate) http: bool,
    pub(crate) grpc: bool,
    pub(crate) outbox: bool,
    pub(crate) sagas: bool,
    pub(crate) policies: bool,
    pub(crate) memory: bool,
    pub(crate) amqp: bool,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) paths: Vec<Path>,
    pub(crate) queues: Vec<QueueType>,
    pub(crate) bytes: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) seconds: Duration,
    /// How many events wait to be handled.
    pub(crate) backlog: u64,
    pub(crate) broker: String,
}

/// What this process is.
pub(crate) enum Mode {
    /// One of the programs that are measured.
    Role(Role),
    Compare,
    Soak(u64),
    Start,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Rpc(rpc::Role),
    Events(events::Role),
    Http(http::Role),
    Grpc(grpc::Role),
    Outbox(outbox::Role),
    Sagas(sagas::Role),
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            mode: Mode::Compare,
            rpc: true,
            events: true,
            http: true,
            grpc: true,
            outbox: true,
            sagas: true,
            policies: true,
            memory: true,
            amqp: true,
            codecs: vec![Codec::MessagePack, Codec::Json],
            paths: vec![Path::Short, Path::Nameko],
            queues: vec![QueueType::Classic, QueueType::Quorum],
            bytes: vec![100, 10 * 1024],
            rounds: 5,
            seconds: Duration::from_secs(1),
            backlog: 200_000,
            broker: std::env::var("KINOKO_TEST_AMQP_URI")
                .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672".to_owned()),
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` needs a value\n{USAGE}"));
            match arg.as_str() {
                // What cargo itself passes.
                "--bench" => {}
                "rpc" | "events" | "http" | "grpc" | "outbox" | "sagas" | "policies" => options.only(&arg),
                "--quick" => {
                    options.codecs = vec![Codec::MessagePack];
                    options.bytes = vec![100];
                    options.rounds = 3;
                    options.seconds = Duration::from_millis(500);
                    options.backlog = 20_000;
                }
                "--only" => match value()?.as_str() {
                    "memory" => options.amqp = false,
                    "amqp" => options.memory = false,
                    other => return Err(format!("`--only {other}`: write `memory` or `amqp`")),
                },
                "--codec" => options.codecs = vec![Codec::parse(&value()?)?],
                "--path" => options.paths = vec![Path::parse(&value()?)?],
                "--queue" => options.queues = vec![QueueType::parse(&value()?)?],
                "--rounds" => options.rounds = number(&value()?)?.max(1),
                "--seconds" => {
                    let seconds: f64 = value()?.parse().map_err(|_| format!("`--seconds` takes a number\n{USAGE}"))?;
                    options.seconds = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
                }
                "--backlog" => options.backlog = number(&value()?)? as u64,
                "--broker" => options.broker = value()?,
                "--soak" => options.mode = Mode::Soak(number(&value()?)? as u64),
                "--start" => options.mode = Mode::Start,
                "--role" => options.mode = Mode::Role(Role::parse(&value()?)?),
                _ => return Err(format!("`{arg}` is no option\n{USAGE}")),
            }
        }
        Ok(options)
    }

    /// Leaves one subject of all.
    fn only(&mut self, subject: &str) {
        self.rpc = subject == "rpc";
        self.events = subject == "events";
        self.http = subject == "http";
        self.grpc = subject == "grpc";
        self.outbox = subject == "outbox";
        self.sagas = subject == "sagas";
        self.policies = subject == "policies";
    }
}

impl Role {
    fn parse(text: &str) -> Result<Self, String> {
        let role = rpc::Role::parse(text).map(Self::Rpc).or_else(|| events::Role::parse(text).map(Self::Events));
        let role = role.or_else(|| http::Role::parse(text).map(Self::Http));
        let role = role.or_else(|| grpc::Role::parse(text).map(Self::Grpc));
        let role = role.or_else(|| outbox::Role::parse(text).map(Self::Outbox));
        let role = role.or_else(|| sagas::Role::parse(text).map(Self::Sagas));
        role.ok_or_else(|| format!("no role `{text}`"))
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.replace('_', "").parse().map_err(|_| format!("`{text}` is no number\n{USAGE}"))
}
