use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::amqp_uri;

/// Real Python with Nameko, from one of the venvs that `./test.sh` makes.
#[derive(Debug, Clone)]
pub struct Python(PathBuf);

/// A Nameko service that runs until it is stopped or dropped, or its test is gone.
#[derive(Debug)]
pub struct PythonService(Child);

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
        let mut command = self.script("nameko_service.py");
        let mut child =
            command.args(["--name", name, "--stop-with-stdin"]).stdin(Stdio::piped()).spawn().expect("python runs");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "READY")), "the Nameko service ended before it started");
        PythonService(child)
    }
}

impl Drop for PythonService {
    fn drop(&mut self) {
        // Its standard input ends, and it with it: Nameko finishes what runs, as after SIGTERM.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
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
