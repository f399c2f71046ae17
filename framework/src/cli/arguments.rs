//! Which arguments there are.

use clap::{Arg, ArgAction, Command};

use crate::container::App;

const CALL_HELP: &str = "\
ARGUMENTS are what the method is called with:
  '{\"name\": \"Ada\"}'     one JSON object: arguments by name
  '[\"Ada\", 3]'          one JSON array: arguments by position
  Ada 3                  several words, or one that is neither: arguments by position, each JSON where it is
                         JSON (3, true, null, \"3\", {…}), else a text
  -                      the object or array is read from standard input

The result is printed to standard output as JSON, an error to standard error.
Over `memory://`, the default, a service of this very program is started in this process and called.
Exit codes: 0 answered, 1 an error instead of an answer, 2 wrong arguments or settings, 3 refused by the broker.";

const FLEET_HELP: &str = "\
Asks over the broker, and waits 300 ms for answers. Programs answer unless `discovery.broker` is false; Python services do not.
Exit codes: 0 told, 2 nobody has such a service, or wrong arguments, 3 refused by the broker.";

/// The whole command line of a program.
pub(super) fn command(program: &str, app: &App) -> Command {
    let names: Vec<_> = app.descriptors().map(|service| service.name).collect();
    let about = match names.as_slice() {
        [] => "A kinoko program without services".to_owned(),
        names => format!("Services: {}", names.join(", ")),
    };
    let version = match app.program_version() {
        Some(version) => format!("{version} (kinoko {})", env!("CARGO_PKG_VERSION")),
        None => format!("(kinoko {})", env!("CARGO_PKG_VERSION")),
    };
    Command::new(program.to_owned())
        .about(about)
        .version(version)
        .after_help("Without a command it does what `run` does.")
        .args(options())
        .subcommand(
            Command::new("run")
                .about("Run services until SIGTERM or SIGINT")
                .arg(services("Services to run, by name [default: all of this program]")),
        )
        .subcommand(
            Command::new("list")
                .about("List services, their entrypoints, and how they are called")
                .arg(services("Services to list, by name [default: all of this program]"))
                .arg(json("Print JSON")),
        )
        .subcommand(
            Command::new("show-config")
                .about("Print every setting with its value and where it was set; secrets are hidden")
                .arg(json("Print JSON")),
        )
        .subcommands(docs())
        .subcommand(
            Command::new("ps")
                .about("List the instances that run on the broker, of this program and of others")
                .after_help(FLEET_HELP)
                .arg(Arg::new("service").value_name("SERVICE").help("Only those of this service"))
                .arg(json("Print JSON")),
        )
        .subcommand(
            Command::new("info")
                .about("Tell what a service has that runs on the broker: its entrypoints, and where it runs")
                .after_help(FLEET_HELP)
                .arg(Arg::new("service").value_name("SERVICE").required(true).help("Which service"))
                .arg(json("Print JSON: all that each instance answers, schemas too")),
        )
        .subcommand(
            Command::new("stats")
                .about("Tell how the services do that run on the broker: how often their methods ran, how that ended, how long it took")
                .after_help(FLEET_HELP)
                .arg(Arg::new("service").value_name("SERVICE").help("Only this service"))
                .arg(
                    Arg::new("watch")
                        .long("watch")
                        .short('w')
                        .value_name("EVERY")
                        .num_args(0..=1)
                        .require_equals(true)
                        .default_missing_value("1s")
                        .help("Tell it again and again, with rates, until it is interrupted: each second, or `--watch=5s`"),
                )
                .arg(json("Print JSON: all that each instance answers; with --watch a line each time")),
        )
        .subcommand(
            Command::new("call")
                .about("Call a method of any service on the broker, Python ones too")
                .after_help(CALL_HELP)
                .arg(Arg::new("method").value_name("SERVICE.METHOD").required(true).help("What to call"))
                .arg(
                    Arg::new("arguments")
                        .value_name("ARGUMENTS")
                        .num_args(0..)
                        .allow_negative_numbers(true)
                        .help("What to call it with, see below"),
                )
                .arg(
                    Arg::new("timeout")
                        .long("timeout")
                        .value_name("DURATION")
                        .help("How long to wait for the reply, such as `5s` [default: the setting `rpc_timeout`]"),
                )
                .arg(
                    Arg::new("idempotency-key")
                        .long("idempotency-key")
                        .value_name("KEY")
                        .help("The key by which an idempotent method knows this call again"),
                )
                .arg(pair("header", "A header of the request, under this very name"))
                .arg(pair("context", "Context data, sent as Nameko's header `nameko.KEY`"))
                .arg(json("Print one line of JSON, also for an error: {\"result\": …} or {\"error\": …}")),
        )
}

#[cfg(not(feature = "schema"))]
fn docs() -> Option<Command> {
    None
}

#[cfg(feature = "schema")]
fn docs() -> Option<Command> {
    let command = Command::new("docs")
        .about("Print what describes the services, without starting anything")
        .arg(
            Arg::new("document")
                .value_name("DOCUMENT")
                .required(true)
                .value_parser(clap::builder::PossibleValuesParser::new(super::docs::DOCUMENTS))
                .help("Which document: of routes over HTTP, or of calls, events, queues and timers"),
        )
        .arg(services("Services to describe, by name [default: all of this program]"))
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .value_parser(clap::value_parser!(std::path::PathBuf))
                .help("Write it to this file instead"),
        );
    Some(command)
}

/// What every command takes.
fn options() -> [Arg; 4] {
    let option = |name, short: Option<char>, value, help| {
        let arg = Arg::new(name).long(name).value_name(value).help(help).global(true).help_heading("Settings");
        match short {
            Some(short) => arg.short(short),
            None => arg,
        }
    };
    [
        option(
            "config",
            Some('c'),
            "FILE",
            "Settings file, YAML or TOML [default: $KINOKO_CONFIG, else kinoko.yaml where there is one]",
        ),
        option("define", Some('d'), "KEY=VALUE", "Set a setting, over file and environment; may be repeated")
            .action(ArgAction::Append),
        option("broker", None, "URL", "The broker: memory://, amqp://user:password@host:5672/vhost"),
        option(
            "log",
            None,
            "LEVEL",
            "What is logged: error, warn, info, debug, trace, or target=level with commas between",
        ),
    ]
}

fn services(help: &'static str) -> Arg {
    Arg::new("services").value_name("SERVICE").num_args(0..).help(help)
}

fn json(help: &'static str) -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help(help)
}

fn pair(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("KEY=VALUE").action(ArgAction::Append).help(help)
}
