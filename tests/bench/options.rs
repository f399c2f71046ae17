//! The command line.

use std::time::Duration;

use crate::{payload::Codec, peer::Role};

const USAGE: &str = "usage: rpc [--quick] [--only memory|amqp] [--codec msgpack|json] [--path short|nameko] [--rounds N] [--seconds S] [--broker URL]
       rpc --soak CALLS | --start
The broker is KINOKO_TEST_AMQP_URI where --broker does not say, else amqp://guest:guest@127.0.0.1:5672.";

/// What was asked for.
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) memory: bool,
    pub(crate) amqp: bool,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) paths: Vec<Path>,
    pub(crate) bytes: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) seconds: Duration,
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

/// The way through the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// kinoko's, between kinoko peers: the default exchange both ways.
    Short,
    /// Nameko's: the topic exchange both ways.
    Nameko,
}

impl Path {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Nameko => "nameko",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "short" => Ok(Self::Short),
            "nameko" => Ok(Self::Nameko),
            other => Err(format!("no path is called `{other}`: write `short` or `nameko`")),
        }
    }
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            mode: Mode::Compare,
            memory: true,
            amqp: true,
            codecs: vec![Codec::MessagePack, Codec::Json],
            paths: vec![Path::Short, Path::Nameko],
            bytes: vec![100, 10 * 1024],
            rounds: 5,
            seconds: Duration::from_secs(1),
            broker: std::env::var("KINOKO_TEST_AMQP_URI")
                .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672".to_owned()),
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("`{arg}` needs a value\n{USAGE}"));
            match arg.as_str() {
                // What cargo itself passes.
                "--bench" => {}
                "--quick" => {
                    options.codecs = vec![Codec::MessagePack];
                    options.bytes = vec![100];
                    options.rounds = 3;
                    options.seconds = Duration::from_millis(500);
                }
                "--only" => match value()?.as_str() {
                    "memory" => options.amqp = false,
                    "amqp" => options.memory = false,
                    other => return Err(format!("`--only {other}`: write `memory` or `amqp`")),
                },
                "--codec" => options.codecs = vec![Codec::parse(&value()?)?],
                "--path" => options.paths = vec![Path::parse(&value()?)?],
                "--rounds" => options.rounds = number(&value()?)?.max(1),
                "--seconds" => {
                    let seconds: f64 = value()?.parse().map_err(|_| format!("`--seconds` takes a number\n{USAGE}"))?;
                    options.seconds = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
                }
                "--broker" => options.broker = value()?,
                "--soak" => options.mode = Mode::Soak(number(&value()?)? as u64),
                "--start" => options.mode = Mode::Start,
                "--role" => options.mode = Mode::Role(Role::parse(&value()?)?),
                _ => return Err(format!("`{arg}` is no option\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.replace('_', "").parse().map_err(|_| format!("`{text}` is no number\n{USAGE}"))
}
