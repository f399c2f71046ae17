//! Starting and ending whole programs: what they say, and their exit codes.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

use kinoko::{ErrorKind, prelude::*};

const WITHOUT_SERVICES: &str = env!("CARGO_BIN_EXE_program-without-services");
const WITH_A_SERVICE: &str = env!("CARGO_BIN_EXE_program-with-a-service");

fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_program_that_lost_its_services_ends_with_2_and_the_line_to_add() {
    let output = program(WITHOUT_SERVICES).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = error(&output);
    assert!(error.starts_with("error: no service is linked into this program."), "{error}");
    assert!(error.contains("`kinoko::App::new().service::<Orders>().run().await`"), "{error}");
    assert!(error.contains("`use orders as _;`"), "{error}");
}

#[test]
fn an_absent_name_ends_with_2_and_says_what_there_is() {
    let output = program(WITH_A_SERVICE).args(["run", "program_sleper"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains(
        "this program has no service `program_sleper` (it has program_sleeper, program_starter): did you mean `program_sleeper`?"
    ));
    let output = program(WITH_A_SERVICE).args(["run", "order_history"]).output().unwrap();
    assert!(error(&output).contains("if it is in a library, name it: App::new().service::<OrderHistory>()"));
}

#[test]
fn wrong_settings_end_with_2_and_name_the_variable() {
    for (name, value, expected) in [
        ("KINOKO_MAX_WORKERS", "many", "setting `max_workers` (from KINOKO_MAX_WORKERS): invalid type"),
        (
            "KINOKO_MAX_WORKERS",
            "18446744073709551615",
            "setting `max_workers` (from KINOKO_MAX_WORKERS): 18446744073709551615 is too many",
        ),
        (
            "KINOKO_RPC_TIMEOUT",
            "5",
            "setting `rpc_timeout` (from KINOKO_RPC_TIMEOUT): `5` is no duration: its unit is missing; write `2s`",
        ),
        ("KINOKO_AMQP_URI", "carrier-pigeon://x", "no transport is called `carrier-pigeon`"),
        ("KINOKO_AMQP_URI", "", "(`amqp_uri` is from KINOKO_AMQP_URI)"),
        ("KINOKO_CONFIG", "nowhere.yaml", "(KINOKO_CONFIG names it)"),
        ("KINOKO_LOG", "kinoko=loud", "setting `log` (from KINOKO_LOG): `loud` is no level"),
        ("KINOKO_CONFIG", "nowhere.yaml", "settings file `nowhere.yaml` cannot be read"),
    ] {
        let output = program(WITH_A_SERVICE).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}", error(&output));
        assert!(error(&output).contains(expected), "{name}: {}", error(&output));
    }
}

#[test]
fn a_dependency_that_fails_ends_with_1_and_one_line_that_names_it() {
    let output =
        program(WITH_A_SERVICE).env("FAIL_SETUP", "no such table").env("RUST_BACKTRACE", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = error(&output);
    let last = "error: setting up `slow` of service `program_starter`: no such table";
    assert_eq!(error.lines().last(), Some(last), "{error}");
    assert_eq!(error.matches("no such table").count(), 1, "{error}");
    assert!(!error.contains("Custom {") && !error.contains("backtrace"), "{error}");
}

/// A program with a worker that has just started.
fn working(millis: u64, grace: &str) -> (Child, impl Iterator<Item = String>) {
    let mut child = program(WITH_A_SERVICE)
        .env("SLEEP_MILLIS", millis.to_string())
        .env("KINOKO_GRACE_PERIOD", grace)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("started"));
    (child, lines)
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_signal_lets_the_worker_finish_and_its_reply_leave() {
    for name in ["TERM", "INT"] {
        let (mut child, lines) = working(500, "10s");
        signal(&child, name);
        assert_eq!(lines.collect::<Vec<_>>(), ["ended", "answered"]);
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn at_the_end_of_the_grace_period_workers_are_dropped_and_the_exit_code_tells() {
    let (mut child, lines) = working(60_000, "100ms");
    signal(&child, "TERM");
    assert_eq!(lines.count(), 0);
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(
        error.contains("1 workers were dropped: they had not finished within the grace period of 100ms"),
        "{error}"
    );
}

#[test]
fn a_signal_during_the_setup_stops_what_was_set_up() {
    let mut child = program(WITH_A_SERVICE).env("SLOW_SETUP", "1").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("setting up"));
    signal(&child, "TERM");
    assert_eq!(lines.collect::<Vec<_>>(), ["stopped"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let (mut child, lines) = working(60_000, "60s");
    signal(&child, "TERM");
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(stderr.any(|line| line.contains("a second signal ends the process at once")));
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(lines.count(), 0);
}

#[derive(Dependencies)]
struct One;

#[service(name = "starting_twice")]
impl One {
    #[rpc]
    fn one(&self) {}
}

#[derive(Dependencies)]
struct Two;

#[service(name = "starting_twice")]
impl Two {
    #[rpc]
    fn two(&self) {}
}

#[tokio::test]
async fn two_services_of_one_name_are_refused() {
    let error = App::new().service::<One>().service::<Two>().start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = "two services are called `starting_twice`: suite::starting::One and suite::starting::Two; give one of them another name";
    assert_eq!(error.to_string(), text);
    let error = App::new().service::<One>().service::<One>().start().await.unwrap_err();
    assert!(
        error.to_string().starts_with("service `starting_twice` (suite::starting::One) was added twice"),
        "{error}"
    );
    let error = App::new().service::<One>().only([""; 0]).start().await.unwrap_err();
    assert_eq!(error.to_string(), "`only` names no service: name some of starting_twice");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = App::new().start().await.unwrap_err();
    assert_eq!(error.to_string(), "this program has no service: add one, `App::new().service::<Orders>()`");
}
