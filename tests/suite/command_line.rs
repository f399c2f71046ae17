//! The command line of a program: what it prints, and its exit codes.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use kinoko::{ErrorKind, prelude::*};
use serde_json::{Value, json};

const GREETER: &str = env!("CARGO_BIN_EXE_program-greeter");

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(GREETER);
    command.env_clear().args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

#[track_caller]
fn answered(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{args:?}");
    text(&output.stdout)
}

/// What is said on standard error, and the exit code.
#[track_caller]
fn refused(args: &[&str], code: i32) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", text(&output.stderr));
    let error = text(&output.stderr);
    assert_eq!(error.matches("error:").count(), 1, "{error}");
    assert!(error.starts_with("error: "), "{error}");
    error
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn list_shows_signatures_and_the_first_line_of_each_doc() {
    assert_eq!(
        answered(&["list"]),
        "program_greeter: Greets people.\n\
         \x20 rpc  greet(name: String, times: usize = 1, password: Option<String>) -> String  Greets somebody by name.\n\
         \x20 rpc  refuse(name: String) -> (), or GreetingError                  Is always refused.\n\
         \x20 rpc  context() -> (Option<String>, Option<String>)\n"
    );
    let listed: Value = serde_json::from_str(&answered(&["list", "--json", "program_greeter"])).unwrap();
    let greet = &listed["services"][0]["entrypoints"][0];
    assert_eq!((&greet["kind"], &greet["name"], &greet["returns"]), (&json!("rpc"), &json!("greet"), &json!("String")));
    assert_eq!(
        greet["params"],
        json!([
            {"name": "name", "type": "String", "required": true, "default": null, "sensitive": false},
            {"name": "times", "type": "usize", "required": false, "default": "1", "sensitive": false},
            {"name": "password", "type": "Option<String>", "required": false, "default": null, "sensitive": true},
        ])
    );
    assert!(refused(&["list", "program_greter"], 2).contains("did you mean `program_greeter`?"));
}

#[test]
fn list_shows_what_messages_and_the_clock_fire() {
    let post = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_program-post")).env_clear().args(args).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{args:?}");
        text(&output.stdout)
    };
    assert_eq!(
        post(&["list"]),
        "program_post: Sends letters.\n\
         \x20 event    thank(&Placed) of orders: placed; 3 attempts; 4 at once       Thanks for an order.\n\
         \x20 event    see(Order) of orders: placed, cancelled; broadcast; attempts without end\n\
         \x20 event    welcome(Vec<kinoko::Value>) of users: user.*; singleton; batches of 10; idempotent\n\
         \x20 consume  send(&RawDelivery) from letters, bound to post by letter.#; ordered by to  Sends what others write.\n\
         \x20 timer    close() every 90s; eager\n\
         \x20 timer    close() at 0 18 * * MON-FRI Europe/Berlin; once per fleet\n"
    );
    let listed: Value = serde_json::from_str(&post(&["list", "--json"])).unwrap();
    let entrypoints = listed["services"][0]["entrypoints"].as_array().unwrap();
    let [thank, see, welcome, send, every, cron] = entrypoints.as_slice() else { panic!("{entrypoints:?}") };
    let queue = "evt-orders-placed--program_post.thank";
    assert_eq!(
        *thank,
        json!({
            "kind": "event",
            "name": "thank",
            "doc": "Thanks for an order.\n\nIn more than one line.",
            "signature": "thank(&Placed) of orders: placed; 3 attempts; 4 at once",
            "payload": "&Placed",
            "events": [{"source": "orders", "name": "placed", "queue": queue}],
            "handler": "service_pool",
            "reliable_delivery": true,
            "retry": {"attempts": 3, "first_ms": 2_000, "longest_ms": 2_000, "jitter": true},
            "concurrency": 4,
            "batch": null,
            "ordered_by": null,
            "idempotent": null,
            "timeout_ms": 30_000,
        })
    );
    assert_eq!(see["events"][1]["queue"], "evt-orders-cancelled--program_post.see-{instance}");
    assert_eq!((&see["retry"]["attempts"], &see["reliable_delivery"]), (&Value::Null, &json!(false)));
    assert_eq!(welcome["events"], json!([{"source": "users", "name": "user.*", "queue": "evt-users-user.*"}]));
    assert_eq!(welcome["batch"], json!({"size": 10, "within_ms": 200}));
    assert_eq!(welcome["idempotent"], json!({"store": "process", "window_ms": null}));
    assert_eq!(
        (&send["queue"], &send["declare"], &send["exchange"], &send["ordered_by"]),
        (
            &json!("letters"),
            &json!(true),
            &json!({"name": "post", "kind": "topic", "routing_key": "letter.#"}),
            &json!("to")
        )
    );
    assert_eq!(
        *every,
        json!({
            "kind": "timer",
            "name": "close",
            "doc": "",
            "signature": "close() every 90s; eager",
            "every_ms": 90_000,
            "cron": null,
            "zone": null,
            "eager": true,
            "once_per": null,
            "timeout_ms": null,
        })
    );
    assert_eq!(
        (&cron["cron"], &cron["zone"], &cron["once_per"], &cron["timeout_ms"]),
        (&json!("0 18 * * MON-FRI"), &json!("Europe/Berlin"), &json!("fleet"), &json!(60_000))
    );
}

#[test]
fn call_takes_arguments_by_name_by_position_and_as_words() {
    for (arguments, greeting) in [
        (vec!["{\"name\": \"Ada\", \"times\": 2}"], "\"Hello, Ada! Hello, Ada!\"\n"),
        (vec!["[\"Ada\"]"], "\"Hello, Ada!\"\n"),
        (vec!["Ada", "2"], "\"Hello, Ada! Hello, Ada!\"\n"),
        (vec!["\"7\""], "\"Hello, 7!\"\n"),
    ] {
        assert_eq!(answered(&[vec!["call", "program_greeter.greet"], arguments].concat()), greeting);
    }
    let mut child = command(&["call", "program_greeter.greet", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"name\": \"Zo\xc3\xab\"}").unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), "\"Hello, Zoë!\"\n");
    assert_eq!(
        answered(&["call", "--json", "program_greeter.context", "--header", "trace=abc", "--context", "language=de"]),
        "{\"result\":[\"\\\"abc\\\"\",\"\\\"de\\\"\"]}\n"
    );
    assert_eq!(answered(&["-d", "greeter.word=Moin", "call", "program_greeter.greet", "Ada"]), "\"Moin, Ada!\"\n");
}

#[test]
fn a_call_that_fails_tells_all_that_is_known_and_ends_with_1() {
    assert_eq!(
        refused(&["call", "program_greeter.refuse", "Ada"], 1),
        "error: `program_greeter.refuse`: Absent: Ada is not here, 3 are\n  code: ABSENT\n  \
         type: greeter.exceptions.Absent\n  data: {\"left\":3,\"name\":\"Ada\"}\n  may have run: yes\n  safe to repeat: no\n"
    );
    let output = run(&["call", "--json", "program_greeter.refuse", "Ada"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap(),
        json!({"error": {
            "code": "ABSENT", "type": "greeter.exceptions.Absent", "message": "Absent: Ada is not here, 3 are",
            "data": {"left": 3, "name": "Ada"}, "may_have_run": true, "retryable": false,
        }})
    );
    assert!(refused(&["call", "program_greeter.gret", "Ada"], 1).contains("hint: did you mean `greet`?"));
    let error = refused(&["call", "program_greeter.greet", "{\"nam\": 1}"], 1);
    assert!(error.contains("unknown argument `nam`: did you mean `name`?"), "{error}");
    assert!(error.contains("hint: it is greet(name: String, times: usize = 1, password: Option<String>)"), "{error}");
}

#[test]
fn wrong_arguments_end_with_2_and_say_what_to_write() {
    for (args, said) in [
        (&["frob"][..], "unrecognized subcommand 'frob'"),
        (&["program_greeter"], "`program_greeter` is a service and no command: write `run program_greeter`"),
        (&["lst"], "a similar subcommand exists: 'list'"),
        (&["run", "program_greter"], "did you mean `program_greeter`?"),
        (&["call"], "<SERVICE.METHOD>"),
        (&["docs", "html"], "invalid value 'html' for '<DOCUMENT>'"),
        (&["docs", "asyncapi", "program_greter"], "did you mean `program_greeter`?"),
        (&["call", "greet"], "`greet` is no method: write the service and the method, `orders.place`"),
        (&["call", "billing.pay"], "set KINOKO_AMQP_URI, or write `--broker amqp://…`"),
        (&["call", "program_greter.greet"], "did you mean `program_greeter`?"),
        (&["call", "program_greeter.greet", "{\"name\": "], "the arguments are no JSON object or array"),
        (&["call", "program_greeter.greet", "--timeout", "5"], "`--timeout`: `5` is no duration: its unit is missing"),
        (&["call", "program_greeter.greet", "--header", "x"], "write `--header key=value`"),
        (&["-d", "greeter"], "a definition is a key and a value: write `orders.max_lines=7`"),
        (&["call", "billing.pay"], "this program has program_greeter. To call others"),
        (&["-c", "nowhere.yaml"], "(`--config` names it)"),
        (&["-d", "max_body_bytes=0"], "setting `max_body_bytes` (from --define): 0 would refuse every message"),
        (&["-d", "rpc_timeout=0s"], "setting `rpc_timeout` (from --define): `0s` would end every call at once"),
        (&["call", "billing.pay", "--broker", "me:hunter2@host"], "(`amqp_uri` is from --broker)"),
        (&["-c", "nowhere.yaml"], "settings file `nowhere.yaml` cannot be read"),
        (&["-d", "greeter.wrd=x"], "unknown setting `greeter.wrd` (--define): did you mean `greeter.word`?"),
        (&["--broker", "amq://x"], "no transport is called `amq`"),
        (&["--log", "lound"], "setting `log` (from --log): `lound` is no level"),
        (&["-d", "log_format=jsno"], "setting `log_format` (from --define): `jsno` is no format: did you mean `json`?"),
    ] {
        // `starting` is said by the log before the broker's address is looked at.
        let error = refused(&[args, if args.contains(&"--log") { &[] } else { &["--log", "warn"] }].concat(), 2);
        assert!(error.contains(said), "{args:?}: {error}");
        assert!(!error.contains("Error {") && !error.contains("backtrace"), "{error}");
    }
}

#[test]
fn a_file_of_another_name_that_nobody_named_is_told() {
    let folder = std::env::temp_dir().join(kinoko_tests::unique("kinoko-toml"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("kinoko.toml"), "max_workers = 3\n").unwrap();
    let shown = |args: &[&str]| text(&command(args).current_dir(&folder).output().unwrap().stdout);
    let (unread, read) = (shown(&["show-config"]), shown(&["show-config", "--config", "kinoko.toml"]));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(unread.contains("# `kinoko.toml` is not read: name it, `--config kinoko.toml` or"), "{unread}");
    assert!(read.contains("# kinoko.toml:1") && !read.contains("is not read"), "{read}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_ends_with_1_and_says_where() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(&["list"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: standard output: "), "{}", text(&output.stderr));
}

#[test]
fn arguments_on_standard_input_that_are_no_text_end_with_2() {
    let mut child = command(&["call", "program_greeter.greet", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"[\"\xff\"]").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("error: the arguments on standard input: "), "{}", text(&output.stderr));
}

/// `PROGRAM call … 2>&1 | head` reads no further, and a script looks at the exit code.
#[test]
fn the_exit_code_is_right_where_nobody_reads_the_error() {
    let mut child = command(&["call", "nowhere"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(child.stderr(writer).status().unwrap().code(), Some(2));
}

#[test]
fn a_call_logs_what_it_is_told_to() {
    let logs = |args: &[&str]| text(&run(&[args, &["call", "program_greeter.greet", "Ada"]].concat()).stderr);
    assert_eq!(logs(&[]), "");
    for told in [&["--log", "info"], &["-d", "log=info"]] {
        assert!(logs(told).contains("service started"), "{told:?}");
    }
}

#[test]
fn docs_prints_the_documents_or_writes_them() {
    let asyncapi: Value = serde_json::from_str(&answered(&["docs", "asyncapi", "-d", "rpc_exchange=other"])).unwrap();
    assert_eq!(
        asyncapi["info"],
        json!({"title": "program_greeter", "version": "1.2.3", "tags": asyncapi["info"]["tags"]})
    );
    let channel = &asyncapi["channels"]["rpc.program_greeter.greet"];
    assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "other");
    let openapi: Value = serde_json::from_str(&answered(&["docs", "openapi", "program_greeter"])).unwrap();
    assert_eq!((&openapi["openapi"], &openapi["paths"]), (&json!("3.1.0"), &json!({})));

    let file = std::env::temp_dir().join(kinoko_tests::unique("kinoko-asyncapi"));
    let written = answered(&["docs", "asyncapi", "--output", file.to_str().unwrap(), "-d", "rpc_exchange=other"]);
    let document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!((written.as_str(), document), ("", asyncapi));
    let error = refused(&["docs", "asyncapi", "-o", "/nowhere/at/all.json"], 1);
    assert!(error.starts_with("error: `/nowhere/at/all.json` cannot be written: "), "{error}");
}

#[test]
fn show_config_tells_values_and_origins_and_hides_secrets() {
    let folder = std::env::temp_dir().join(kinoko_tests::unique("kinoko-config"));
    std::fs::create_dir(&folder).unwrap();
    let file = "greeter:\n  word: ${WORD:Moin}\n  api_key: hunter2\nHEARTBEAT: 60\nmax_wrkers: 3\n";
    std::fs::write(folder.join("kinoko.yaml"), file).unwrap();
    let mut command = command(&["show-config", "-d", "greeter.pin=31415926"]);
    command.current_dir(&folder).env("KINOKO_AMQP_URI", "amqp://me:hunter2@host/v").env("KINOKO_MAX_WORKERS", "7");
    let output = command.output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let shown = text(&output.stdout);
    // As wide as the widest.
    let lines: Vec<_> = shown.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "amqp_uri: \"amqp://me:***@host/v\" # KINOKO_AMQP_URI",
        "max_workers: 7 # KINOKO_MAX_WORKERS",
        "grace_period: \"25s\" # default",
        "heartbeat: \"60s\" # kinoko.yaml:4",
        "greeter.api_key: \"***\" # kinoko.yaml:3",
        "greeter.pin: \"***\" # --define",
        "greeter.word: \"Moin\" # kinoko.yaml:2, ${WORD}",
        "max_wrkers: 3 # kinoko.yaml:5; no field of a service reads it",
        "# `HEARTBEAT` (kinoko.yaml:4), which is Nameko's, is read as `heartbeat`",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("hunter2") && !shown.contains("31415926"), "{shown}");
    let shown: Value = serde_json::from_str(&answered(&["show-config", "--json"])).unwrap();
    assert_eq!(shown["greeter.api_key"], json!({"value": null, "origin": "default, not shown", "known": true}));
    assert_eq!(shown["rpc_timeout"], json!({"value": "30s", "origin": "default", "known": true}));
}

/// What `show-config` tells of kinoko's own keys is what the reference says, and `App::start` reads no others.
#[test]
fn the_reference_lists_the_settings_and_defaults_that_there_are() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/settings.md")).unwrap();
    // This program has no `Database`, no `Jwt` and no `Password`, of which those below these sections are.
    let of_fields =
        |line: &str| ["database", "jwt", "password"].iter().any(|name| line.starts_with(&format!("| `{name}.")));
    let rows = page.lines().filter(|line| line.starts_with("| `") && !of_fields(line));
    let rows = rows.filter(|line| line.matches(" | `KINOKO_").count() == 1);
    let documented: serde_json::Map<_, _> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let (key, variable) = (cells[1].trim_matches('`'), cells[2].trim_matches('`'));
            assert_eq!(variable, format!("KINOKO_{}", key.to_uppercase().replace('.', "__")));
            (key.to_owned(), documented_default(cells[3]))
        })
        .collect();
    let shown: serde_json::Map<String, Value> = serde_json::from_str(&answered(&["show-config", "--json"])).unwrap();
    let shown: serde_json::Map<_, _> = shown
        .into_iter()
        .filter(|(key, _)| !key.starts_with("greeter."))
        .map(|(key, setting)| {
            // What is called like a secret is not shown, whatever it is.
            let hidden = setting["origin"] == json!("default, not shown");
            let value = if hidden { documented[&key].clone() } else { setting["value"].clone() };
            (key, value)
        })
        .collect();
    assert_eq!(shown, documented);
}

/// `30s`, 4096, or in words what it depends on.
fn documented_default(cell: &str) -> Value {
    let inside = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    match inside.filter(|text| !text.contains('`')) {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        None => serde_json::from_str(cell).unwrap_or_default(),
    }
}

#[test]
fn help_and_version_are_answers() {
    let help = answered(&["--help"]);
    for text in [
        "Services: program_greeter",
        "show-config",
        "--define <KEY=VALUE>",
        "Without a command it does what `run` does.",
    ] {
        assert!(help.contains(text), "{help}");
    }
    assert!(answered(&["call", "--help"]).contains("Usage: program-greeter call [OPTIONS] <SERVICE.METHOD>"));
    assert_eq!(answered(&["--version"]), format!("program-greeter 1.2.3 (kinoko {})\n", env!("CARGO_PKG_VERSION")));
}

#[derive(Dependencies)]
struct Own;

#[service(name = "command_line_own")]
impl Own {
    #[rpc]
    fn nothing(&self) {}
}

#[tokio::test]
async fn a_program_may_give_its_own_arguments() {
    // `call` installs a log of its own where there is none, and other tests of this process want theirs.
    kinoko_tests::captured_log();
    let app = || App::new().service::<Own>();
    app().arguments(["call", "command_line_own.nothing"]).run().await.unwrap();
    let error = app().arguments(["call", "command_line_own.noting"]).run().await.unwrap_err();
    assert!(error.to_string().contains("METHOD_NOT_FOUND"), "{error}");
    let error = app().arguments(["call", "x.y"]).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = app().settings(Settings::default()).arguments(["-c", "a.yaml"]).run().await.unwrap_err();
    assert!(error.to_string().starts_with("this program makes its settings itself"), "{error}");
}
