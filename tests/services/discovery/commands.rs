//! `ps`, `info` and `call` of one process, about services that run in others.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

use kinoko_tests::{amqp_uri, eventually, unique};
use serde_json::{Value, json};

use super::SOON;

/// A process that runs `program_greeter`, until it is dropped.
struct Greeter(Child);

impl Greeter {
    fn start() -> Self {
        let mut child = over_rabbitmq(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("service started")));
        // Read to its end: who writes to nobody ends.
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }
}

impl Drop for Greeter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_program-greeter"));
    command.env_clear().args(args).stdin(Stdio::null());
    command
}

fn over_rabbitmq(args: &[&str]) -> Command {
    let mut command = command(args);
    command.env("KINOKO_AMQP_URI", amqp_uri());
    command
}

async fn run(args: &'static [&'static str]) -> Output {
    tokio::task::spawn_blocking(|| over_rabbitmq(args).output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn commands_see_what_runs_in_other_processes() {
    let running = [Greeter::start(), Greeter::start()];
    let mut pids = running.each_ref().map(|greeter| greeter.0.id());
    pids.sort_unstable();

    let listed = eventually(SOON, "both processes are listed", || async {
        let output = run(&["ps", "program_greeter", "--json"]).await;
        let listed: Value = serde_json::from_slice(&output.stdout).ok()?;
        // Other runs of these tests may share the broker.
        let mut instances = listed["instances"].as_array()?.clone();
        instances.retain(|instance| pids.iter().any(|pid| instance["pid"] == *pid));
        (instances.len() == 2).then_some(instances)
    });
    assert_eq!(listed.await[0]["version"], "1.2.3");

    let table = run(&["ps"]).await;
    let table = text(&table.stdout);
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["SERVICE", "INSTANCE", "PROGRAM", "VERSION", "HOST/PID", "UPTIME", "WORKERS", "STATE"]);
    for pid in pids {
        let row = rows.iter().find(|row| row.get(4).is_some_and(|cell| cell.ends_with(&format!("/{pid}")))).unwrap();
        assert_eq!((row[0], row[2], row[3]), ("program_greeter", "program-greeter", "1.2.3"));
        assert_eq!(row[row.len() - 2..], ["0/256", "ready"]);
    }

    let info = run(&["info", "program_greeter"]).await;
    let lines: Vec<_> = text(&info.stdout).lines().collect();
    assert_eq!(lines[0], "program_greeter: Greets people.");
    assert!(lines[1].starts_with("  rpc  greet(name: String, times: usize = 1, password: Option<String>) -> String"));
    assert!(lines.len() >= 6, "{lines:?}");
    for line in &lines[4..] {
        assert!(line.contains(": program-greeter 1.2.3 (kinoko "), "{line}");
    }
    let info = run(&["info", "program_greeter", "--json"]).await;
    let info: Value = serde_json::from_slice(&info.stdout).unwrap();
    let params = &info["answers"][0]["services"][0]["entrypoints"][0]["params"];
    assert_eq!(params[0]["schema"], json!({"type": "string"}));

    let called = run(&["call", "program_greeter.greet", "Ada"]).await;
    assert!(called.status.success());
    let stats = run(&["stats", "program_greeter"]).await;
    let greet = text(&stats.stdout).lines().find(|line| line.starts_with("program_greeter  rpc   greet ")).unwrap();
    let numbers: Vec<u64> = greet.split_whitespace().skip(3).take(2).map(|cell| cell.parse().unwrap()).collect();
    assert!(numbers[0] >= 2 && numbers[1] >= 1, "{greet}");
    let mut watching =
        over_rabbitmq(&["stats", "program_greeter", "--watch=300ms", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let told: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert!(told["answers"].as_array().unwrap().len() >= 2);
    }
    watching.kill().unwrap();
    watching.wait().unwrap();

    // What is written wrong is told by what runs.
    for args in [&["info", "program_greter"][..], &["ps", "program_greter"]] {
        let output = run(args.to_vec().leak()).await;
        assert_eq!(output.status.code(), Some(2));
        let error = text(&output.stderr);
        assert!(error.contains("answers for service `program_greter`: did you mean `program_greeter`?"), "{error}");
    }
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_call_of_an_unknown_service_names_one_that_runs() {
    let name = unique("discovery_call").replace('-', "_");
    let asker = super::Asker::connect(&amqp_uri()).await;
    // One that only others know: this program has no service of that name.
    let app = kinoko::App::new().service::<super::Till>().broker(amqp_uri()).start().await.unwrap();
    asker.wait_for("ping.till_of_discovery").await;
    let call = |service: &str| {
        let method = format!("{service}.open").leak();
        run(vec!["call", method].leak())
    };
    let output = call("till_of_discovrey").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hint: did you mean `till_of_discovery`?"), "{}", text(&output.stderr));
    let output = call(&name).await;
    assert!(text(&output.stderr).contains("hint: there are "), "{}", text(&output.stderr));
    asker.close().await;
    app.stop().await.unwrap();
}

#[test]
fn commands_say_that_nobody_can_be_in_this_process() {
    for name in ["ps", "info"] {
        let args = if name == "ps" { vec![name] } else { vec![name, "orders"] };
        let output = command(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = text(&output.stderr);
        assert!(error.contains("set KINOKO_AMQP_URI, or write `--broker amqp://…`"), "{error}");
    }
}

#[tokio::test]
async fn commands_look_at_a_named_broker_of_this_process() {
    // The command would install a log of its own.
    kinoko_tests::captured_log();
    let broker = format!("memory://{}", unique("discovery"));
    let app = kinoko::App::new().service::<super::Till>().broker(&broker).start().await.unwrap();
    let asker = super::Asker::connect(&broker).await;
    asker.wait_for("ping.till_of_discovery").await;
    let ask = |args: &[&str]| {
        kinoko::App::new()
            .service::<super::Stock>()
            .broker(&broker)
            .arguments(args.iter().map(ToString::to_string))
            .run()
    };
    ask(&["ps", "till_of_discovery"]).await.unwrap();
    ask(&["info", "till_of_discovery"]).await.unwrap();
    let error = ask(&["info", "elsewhere"]).await.unwrap_err();
    assert_eq!(error.kind(), kinoko::ErrorKind::Usage);
    assert!(error.to_string().contains("there are till_of_discovery"), "{error}");
    asker.close().await;
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_away_is_told_and_not_waited_for() {
    let [port] = kinoko_tests::free_ports();
    let mut command = command(&["ps", "--broker", &format!("amqp://127.0.0.1:{port}")]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("was not reachable in time"), "{}", text(&output.stderr));
}
