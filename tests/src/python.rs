use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::amqp_uri;

/// Real Python with Nameko, from the venv that `./test.sh` makes.
#[derive(Debug)]
pub struct Python(PathBuf);

/// A Nameko service that runs until it is dropped, or its test is gone.
#[derive(Debug)]
pub struct PythonService(Child);

impl Python {
    /// Nameko 2.14.1.
    ///
    /// # Panics
    ///
    /// Without `KINOKO_TEST_PYTHON_NAMEKO2`: tests that call this are ignored then.
    #[allow(clippy::new_without_default, reason = "it panics")]
    pub fn new() -> Self {
        Self(env::var_os("KINOKO_TEST_PYTHON_NAMEKO2").expect("KINOKO_TEST_PYTHON_NAMEKO2 names a Python").into())
    }

    fn script(&self, name: &str) -> Command {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python").join(name);
        let mut command = Command::new(&self.0);
        command.arg(script).env("AMQP_URI", amqp_uri()).stdout(Stdio::piped());
        command
    }

    /// Calls a service as a Python program does. Gives `{"result": …}` or `{"error": {…}}`.
    ///
    /// # Panics
    ///
    /// When the program fails.
    pub fn call(&self, service: &str, method: &str, args: Value, kwargs: Value) -> Value {
        let mut command = self.script("call.py");
        command.args([service, method, &args.to_string(), &kwargs.to_string()]).stdin(Stdio::null());
        let output = command.output().expect("python runs");
        assert!(output.status.success(), "call.py failed");
        serde_json::from_slice(&output.stdout).expect("call.py prints JSON")
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
        // Its standard input ends, and it with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
