//! Headers that nest as deep as a frame allows, sent to a program in a process of its own.

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
            .arg(main)
            .env_clear()
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

    /// Ends it, and gives its log.
    fn stop(mut self) -> String {
        let _ = self.child.kill();
        self.child.wait().unwrap();
        self.log()
    }
}

fn nested(depth: usize) -> BasicProperties {
    let deep = (0..depth).fold(AMQPValue::Void, |deep, _| AMQPValue::FieldArray(FieldArray::from(vec![deep])));
    let mut headers = FieldTable::default();
    headers.insert("deep".into(), deep);
    BasicProperties::default().with_headers(headers).with_content_type("application/json".into())
}

/// One test, since all of the programs consume one queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn programs_survive_the_deepest_headers_and_are_warned_once_where_the_stack_is_small() {
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
