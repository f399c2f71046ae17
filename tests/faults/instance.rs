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

use kinoko::{protocol::Name, transport::Transport};
use kinoko_tests::{eventually, unique};

/// The file where instances write which calls they have begun, or what they have done with which events.
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
        for (id, redelivered) in self.entries() {
            let begun = calls.entry(id).or_default();
            begun.times += 1;
            begun.redelivered |= redelivered;
        }
        calls
    }

    /// The numbers in it, in order, each with the mark that its highest bit is.
    pub(crate) fn entries(&self) -> Vec<(u64, bool)> {
        let bytes = fs::read(&self.0).unwrap_or_default();
        let entries = bytes.chunks_exact(8).map(|entry| u64::from_le_bytes(entry.try_into().unwrap()));
        entries.map(|entry| (entry & !(1 << 63), entry >> 63 == 1)).collect()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// How many services a process runs.
const SERVICES: usize = 2;

/// A process that runs the services `faults_instance` and `faults_recorder`. Killed with its drop.
pub(crate) struct Instance {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Instance {
    pub(crate) fn spawn(uri: &str, ledger: &Ledger) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_program-instance"))
            .env_clear()
            .env("KINOKO_AMQP_URI", uri)
            // A line for each worker that went well would be most of what there is to read.
            .env("KINOKO_LOG", "info,kinoko::worker=warn")
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

    /// Starts it anew as often as it dies, until so many dead letters are in a queue. Returns how often it died.
    pub(crate) async fn until_kept(
        &mut self,
        (uri, ledger): (&str, &Ledger),
        (transport, letters, count): (&dyn Transport, &Name, u32),
        most_deaths: u32,
    ) -> u32 {
        let mut deaths = 0;
        loop {
            let kept =
                || async { transport.queue_status(letters).await.unwrap().filter(|status| status.messages == count) };
            tokio::select! {
                _ = eventually(Duration::from_secs(60), "dead letters", kept) => return deaths,
                _ = self.ended() => deaths += 1,
            }
            assert!(deaths <= most_deaths, "it kills for ever");
            *self = Self::spawn(uri, ledger);
        }
    }

    /// Returns when its consumers run.
    pub(crate) async fn started(&self) {
        let started = || async { (self.log().matches("service started").count() == SERVICES).then_some(()) };
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
