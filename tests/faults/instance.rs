use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use kinoko_tests::{eventually, unique};

/// The file where instances write which calls they have begun.
pub(crate) struct Ledger(PathBuf);

/// How often one call was begun, and whether its request came back from somewhere before.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    pub(crate) times: u32,
    pub(crate) redelivered: bool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self(std::env::temp_dir().join(unique("kinoko-ledger")))
    }

    pub(crate) fn read(&self) -> HashMap<u64, Begun> {
        let mut calls: HashMap<u64, Begun> = HashMap::new();
        for entry in fs::read(&self.0).unwrap_or_default().chunks_exact(8) {
            let entry = u64::from_le_bytes(entry.try_into().unwrap());
            let begun = calls.entry(entry & !(1 << 63)).or_default();
            begun.times += 1;
            begun.redelivered |= entry >> 63 == 1;
        }
        calls
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A process that runs the service `faults_instance`. Killed with its drop.
pub(crate) struct Instance {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Instance {
    pub(crate) fn spawn(uri: &str, ledger: &Ledger) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_program-instance"))
            .env_clear()
            .env("KINOKO_AMQP_URI", uri)
            .env("LEDGER", Path::new(&ledger.0))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (lines, sink) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| sink.lock().unwrap().push(line)));
        Self { child, log }
    }

    /// Returns when it takes requests.
    pub(crate) async fn started(&self) {
        let started = || async { self.log().contains("service started").then_some(()) };
        eventually(Duration::from_secs(30), "an instance has started", started).await;
    }

    pub(crate) async fn start(uri: &str, ledger: &Ledger) -> Self {
        let instance = Self::spawn(uri, ledger);
        instance.started().await;
        instance
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let child = Mutex::new(&mut self.child);
        let ended = || async { child.lock().unwrap().try_wait().unwrap() };
        eventually(Duration::from_secs(40), "an instance ends", ended).await
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
