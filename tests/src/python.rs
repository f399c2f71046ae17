use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{amqp_uri, soon};

/// What a Nameko service takes to start, on a machine that is busy with something else.
const START: Duration = Duration::from_secs(60);

/// Real Python with Nameko, from one of the venvs that `./test.sh` makes.
#[derive(Debug, Clone)]
pub struct Python(PathBuf);

/// A Nameko service that runs until it is stopped or dropped, or its test is gone.
#[derive(Debug)]
pub struct PythonService {
    process: Child,
    handled: UnboundedReceiver<Value>,
}

/// A Python program that calls one method again and again.
#[derive(Debug)]
pub struct PythonLoad(Child);

impl Python {
    /// Nameko 2.14.1.
    ///
    /// # Panics
    ///
    /// Without `KINOKO_TEST_PYTHON_NAMEKO2`: tests that call this are ignored then.
    pub fn nameko2() -> Self {
        Self::of("KINOKO_TEST_PYTHON_NAMEKO2")
    }

    /// Nameko 3.0.0rc11.
    ///
    /// # Panics
    ///
    /// Without `KINOKO_TEST_PYTHON_NAMEKO3`: tests that call this are ignored then.
    pub fn nameko3() -> Self {
        Self::of("KINOKO_TEST_PYTHON_NAMEKO3")
    }

    fn of(variable: &str) -> Self {
        Self(env::var_os(variable).unwrap_or_else(|| panic!("{variable} names a Python")).into())
    }

    fn script(&self, name: &str) -> Command {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
        let mut command = Command::new(&self.0);
        command.arg(script).env("AMQP_URI", amqp_uri()).env("PYTHONDONTWRITEBYTECODE", "1").stdout(Stdio::piped());
        command
    }

    /// Calls a service as a Python program does. Gives `{"result": …}` or `{"error": {…}}`.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub fn call(&self, service: &str, method: &str, args: Value, kwargs: Value) -> Value {
        let call = json!({"service": service, "method": method, "args": args, "kwargs": kwargs});
        self.calls(&[], [call]).remove(0)
    }

    /// Asks programs what they are, as `tests/python/ask.py` tells. Gives what is answered within a second.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub fn ask(&self, key: &str) -> Vec<Value> {
        let output = self.script("ask.py").arg(key).output().expect("python runs");
        assert!(output.status.success(), "ask.py failed");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Many calls over one client: lines and options as `tests/python/call.py` tells. Gives an answer for each.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub fn calls(&self, options: &[&str], calls: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let mut command = self.script("call.py");
        let mut child = command.arg("--lines").args(options).stdin(Stdio::piped()).spawn().expect("python runs");
        let mut stdin = child.stdin.take().expect("it is piped");
        let lines: Vec<_> = calls.into_iter().map(|call| format!("{call}\n")).collect();
        stdin.write_all(lines.concat().as_bytes()).expect("call.py reads");
        drop(stdin);
        let output = child.wait_with_output().expect("python ends");
        assert!(output.status.success(), "call.py failed");
        let text = String::from_utf8(output.stdout).expect("call.py prints text");
        let answers: Vec<_> =
            text.lines().map(|line| serde_json::from_str(line).expect("call.py prints JSON")).collect();
        assert_eq!(answers.len(), lines.len(), "an answer for each call: {answers:?}");
        answers
    }

    /// The same, for a test that runs services meanwhile.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub async fn calls_in_background(&self, options: &[&str], calls: Vec<Value>) -> Vec<Value> {
        let (python, options) = (self.clone(), options.iter().map(ToString::to_string).collect::<Vec<_>>());
        let calls = tokio::task::spawn_blocking(move || {
            python.calls(&options.iter().map(String::as_str).collect::<Vec<_>>(), calls)
        });
        calls.await.expect("the program succeeds")
    }

    /// Calls a service under an idempotency key. Gives the reply's body.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub fn call_with_key(&self, service: &str, method: &str, key: &str, args: Value) -> Value {
        let mut command = self.script("call_with_key.py");
        let output = command.args([service, method, key, &args.to_string()]).output().expect("python runs");
        assert!(output.status.success(), "call_with_key.py failed: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("call_with_key.py prints JSON")
    }

    /// Calls a method that answers `[value, who]`: so many times, or until it is told to stop.
    ///
    /// # Panics
    ///
    /// When the program does not start.
    pub fn load(&self, service: &str, method: &str, calls: Option<usize>) -> PythonLoad {
        let mut command = self.script("call.py");
        command.args(["--load", "--timeout", "30", service, method]);
        if let Some(calls) = calls {
            command.args(["--calls", &calls.to_string()]);
        }
        PythonLoad(command.stdin(Stdio::piped()).spawn().expect("python runs"))
    }

    /// Runs the Nameko service of `tests/python/nameko_service.py` under this name.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn serve(&self, name: &str) -> PythonService {
        PythonService::start(self.service(name))
    }

    /// The same with handlers of events and messages, as `tests/python/messages.py` tells.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn handle(&self, name: &str, handlers: Value) -> PythonService {
        let command = self.handlers(name, &handlers);
        tokio::task::spawn_blocking(|| PythonService::start(command)).await.expect("the service starts")
    }

    /// Waits until such a service has logged this, and ends it: for one that cannot start.
    ///
    /// # Panics
    ///
    /// When it logs no such thing, or starts.
    pub async fn fail_to_handle(&self, name: &str, handlers: Value, logged: &'static str) {
        let mut command = self.handlers(name, &handlers);
        tokio::task::spawn_blocking(move || {
            let mut child = command.stderr(Stdio::piped()).spawn().expect("python runs");
            let mut log = BufReader::new(child.stderr.take().expect("it is piped")).lines();
            let found = log.any(|line| line.is_ok_and(|line| line.contains(logged)));
            child.kill().expect("it runs");
            let output = child.wait_with_output().expect("python ends");
            assert!(found && output.stdout.is_empty(), "logged: {found}, {output:?}");
        })
        .await
        .expect("it fails as it should");
    }

    /// Dispatches an event for each value of a Python list, with Nameko's standalone dispatcher.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub async fn dispatch(&self, source: &str, name: &str, payloads: &str) {
        let mut command = self.script("dispatch.py");
        command.args([source, name, payloads]);
        let status = tokio::task::spawn_blocking(move || command.status()).await;
        assert!(status.expect("nothing panics").expect("python runs").success(), "dispatch.py failed");
    }

    fn service(&self, name: &str) -> Command {
        let mut command = self.script("nameko_service.py");
        command.args(["--name", name, "--stop-with-stdin"]).stdin(Stdio::piped());
        command
    }

    fn handlers(&self, name: &str, handlers: &Value) -> Command {
        let mut command = self.service(name);
        command.args(["--handlers", &handlers.to_string()]);
        command
    }
}

impl PythonService {
    fn start(mut command: Command) -> Self {
        let mut process = command.spawn().expect("python runs");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let ((started, has_started), (sender, handled)) = (channel(), unbounded_channel());
        std::thread::spawn(move || {
            for line in lines {
                // Its handlers begin before all of it has started. A test that has ended wants no more.
                match line.as_str() {
                    "READY" => drop(started.send(())),
                    handled => drop(sender.send(serde_json::from_str(handled).expect("handlers print JSON"))),
                }
            }
        });
        if let Err(error) = has_started.recv_timeout(START) {
            process.kill().expect("it runs");
            panic!("the Nameko service has not started, for {START:?} at most: {error}");
        }
        Self { process, handled }
    }

    /// The next message that one of its handlers got, which must come soon: `{"method": …, "payload": …, "context": …}`,
    /// where the payload is Python's text of it.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub async fn next(&mut self) -> Value {
        soon("a message for Python", self.handled.recv()).await.expect("the Nameko service runs")
    }

    /// Stops it as SIGTERM does: Nameko finishes what it began. Gives what its handlers had got that nobody has taken.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub async fn stop(mut self) -> Vec<Value> {
        drop(self.process.stdin.take());
        let mut left = Vec::new();
        while let Some(handled) = self.handled.recv().await {
            left.push(handled);
        }
        left
    }
}

impl Drop for PythonService {
    fn drop(&mut self) {
        // Its standard input ends, and it with it: Nameko finishes what runs, as after SIGTERM.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl PythonLoad {
    /// Waits for its end, which it may be told to come to now. Gives `{"answered": {who: count}, "failed": […]}`.
    ///
    /// # Panics
    ///
    /// When the program failed.
    pub fn finish(mut self, stop: bool) -> Value {
        if stop {
            drop(self.0.stdin.take());
        }
        let mut text = String::new();
        self.0.stdout.take().expect("it is piped").read_to_string(&mut text).expect("call.py prints text");
        assert!(self.0.wait().expect("python ends").success(), "call.py failed");
        serde_json::from_str(&text).expect("call.py prints JSON")
    }
}

impl Drop for PythonLoad {
    fn drop(&mut self) {
        // Where a test has failed, nobody answers its calls any more, and it would wait for each of them.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
