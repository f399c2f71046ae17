//! A program in a process of its own: headers that nest as deep as a frame allows, and bodies far beyond the limit.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use kinoko::Client;
use kinoko_tests::{Raw, amqp_uri, eventually};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldArray, FieldTable},
};

use tokio::time::timeout;

use crate::sender::{Sender, request, text};

const QUEUE: &str = "rpc-program_target";
const WARNING: &str = "the threads that read from RabbitMQ have a small stack";
/// All that fits into the broker's frame of 128 KiB.
const DEEPEST: usize = 26_000;

/// A program and what it has logged.
struct Program {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Program {
    fn start(main: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_program-target"))
            .env_clear()
            .env("TARGET_MAIN", main)
            .env("KINOKO_AMQP_URI", amqp_uri())
            .env("KINOKO_GRACE_PERIOD", "1s")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (log, lines) = (Arc::<Mutex<String>>::default(), BufReader::new(child.stderr.take().unwrap()));
        let kept = log.clone();
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                *kept.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, log }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    async fn serves(&self, client: &Client) {
        let call =
            || client.proxy().call("program_target", "echo").kwarg("text", "there").timeout(Duration::from_secs(5));
        eventually(Duration::from_secs(20), "an answer", || async { call().await.ok() }).await;
    }

    /// The most memory that it has had; `None` where the system does not tell.
    fn peak_mib(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? / 1024)
    }

    /// Ends it, and gives its log.
    fn stop(mut self) -> String {
        self.end();
        self.log()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

fn nested(depth: usize) -> BasicProperties {
    let deep = (0..depth).fold(AMQPValue::Void, |deep, _| AMQPValue::FieldArray(FieldArray::from(vec![deep])));
    let mut headers = FieldTable::default();
    headers.insert("deep".into(), deep);
    BasicProperties::default().with_headers(headers).with_content_type("application/json".into())
}

/// All programs consume one queue.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn programs_survive_the_deepest_headers_and_are_warned_once_where_the_stack_is_small() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let raw = Raw::connect(&amqp_uri()).await;
    for (main, warnings) in [("kinoko", 0), ("own", 0), ("plain", 1)] {
        let mut program = Program::start(main);
        program.serves(&client).await;
        raw.publish(QUEUE, b"{}", nested(DEEPEST)).await;
        program.serves(&client).await;
        assert!(program.child.try_wait().unwrap().is_none(), "{main}: {}", program.log());
        let log = program.stop();
        // One for all connections of a process.
        assert_eq!(log.matches(WARNING).count(), warnings, "{main}: {log}");
        assert_eq!(log.matches("`#[kinoko::main]`").count(), warnings, "{log}");
        assert_eq!(log.matches("`kinoko::enlarge_io_stack();`").count(), warnings, "{log}");
    }
    client.close().await;
}

const LARGE_EXPIRES: Duration = Duration::from_secs(180);

/// Bodies above the limit, all at once: the prefetch of 256 lets the broker send all of them, and none is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
#[allow(clippy::print_stdout, reason = "the proof prints its counts")]
async fn large_bodies_are_let_go_one_by_one() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let (count, mebibytes) = if std::env::var_os("KINOKO_TEST_PROOF_HOSTILE").is_some() { (20, 100) } else { (12, 20) };
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let program = Program::start("kinoko");
    program.serves(&client).await;
    let before = program.peak_mib();
    let sender = Sender::open(&amqp_uri()).await;
    let body = bytes::Bytes::from(vec![b'x'; mebibytes * 1024 * 1024]);
    for _ in 0..count {
        let mut large = request("program_target", "echo", "application/json", body.clone());
        // Should the test end early, the broker need not keep gigabytes.
        large.properties.expiration = Some(LARGE_EXPIRES);
        sender.send(large).await;
    }
    for _ in 0..count {
        let refused = timeout(LARGE_EXPIRES, sender.replies.wait()).await.expect("a refusal");
        assert!(text(&refused).contains("16777216 are allowed"), "{}", text(&refused));
    }
    program.serves(&client).await;
    let (before, after) = (before.unwrap_or_default(), program.peak_mib().unwrap_or_default());
    println!("{count} bodies of {mebibytes} MiB refused; the program's peak went from {before} to {after} MiB");
    // A few are on their way through lapin at a time; all of them would be far more.
    assert!(after - before < 5 * mebibytes, "from {before} to {after} MiB");
    let log = program.stop();
    // While a body is under way the answer to a probe stands behind it: that is no silence.
    assert_eq!(log.matches("connected to the broker").count(), 1, "{log}");
    sender.close().await;
    client.close().await;
}
