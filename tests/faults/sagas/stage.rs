//! The processes of the proof, started anew as often as they are killed.

use std::{
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use kinoko::{
    saga::{Instance, SagaId, SagaLog, SagaState},
    sql::{Any, Database, SqlLog},
    testing::TestDatabase,
};
use kinoko_tests::{Kills, Order, unique};
use tokio::{select, sync::Mutex, time::sleep};

use super::{Kind, check};
use crate::node::Node;

/// How many processes write effects.
const EFFECTS: usize = 2;
/// How many processes that share a log run sagas.
const HOSTS: usize = 2;
/// How long a saga may take to end, on a machine that does other things, too.
const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(30);

/// What all sagas of one database share.
pub(super) struct Stage {
    pub(super) kind: Kind,
    pub(super) node: Node,
    pub(super) kills: Kills,
    folder: PathBuf,
    own: TestDatabase,
    /// Where the effects are.
    pub(super) rows: Database,
    /// How often a process was killed, since somebody last asked.
    pub(super) killed: Killed,
    effects: Mutex<Vec<Process>>,
    /// How sagas ended.
    pub(super) ended: std::sync::Mutex<Vec<Instance>>,
}

#[derive(Default)]
pub(super) struct Killed {
    pub(super) hosts: AtomicUsize,
    pub(super) effects: AtomicUsize,
}

impl Stage {
    pub(super) async fn open(kind: Kind) -> Self {
        let node = Node::get().await;
        let own = kind.database().await;
        let rows = own.database().await.unwrap();
        for table in [
            // No key: an effect that is there twice is to be seen.
            "CREATE TABLE effect (saga TEXT NOT NULL, what TEXT NOT NULL, receipt TEXT NOT NULL)",
            "CREATE INDEX effect_of ON effect (saga, what)",
            "CREATE TABLE item (saga TEXT NOT NULL, what TEXT NOT NULL, PRIMARY KEY (saga, what))",
        ] {
            sqlx::query(table).execute(&*rows).await.unwrap();
        }
        let folder = std::env::temp_dir().join(unique("kinoko-sagas"));
        std::fs::create_dir_all(&folder).unwrap();
        let (kills, killed, ended) = (Kills::of(&folder), Killed::default(), std::sync::Mutex::default());
        let stage = Self { kind, node, kills, folder, own, rows, killed, effects: Mutex::default(), ended };
        let effects = (0..EFFECTS).map(|_| stage.effects());
        *stage.effects.lock().await = effects.collect();
        stage
    }

    fn effects(&self) -> Process {
        let settings = [
            ("KINOKO_AMQP_URI", self.node.uri()),
            ("KINOKO_DATABASE__URL", self.own.url().to_owned()),
            ("KINOKO_IDEMPOTENCY__LEASE", "500ms".to_owned()),
        ];
        Process::start("effects", &self.folder, settings)
    }

    /// Sees to it that there are processes that write effects while something goes on.
    pub(super) async fn with_effects<T>(&self, something: impl Future<Output = T>) -> T {
        let effects = async {
            loop {
                for process in &mut *self.effects.lock().await {
                    if process.was_killed() {
                        self.killed.effects.fetch_add(1, Ordering::Relaxed);
                        *process = self.effects();
                    }
                }
                sleep(LOOK).await;
            }
        };
        select! {
            done = something => done,
            () = effects => unreachable!("it goes on for ever"),
        }
    }

    /// A log of its own, and nobody yet who runs what is in it.
    pub(super) async fn lane(&self) -> Lane<'_> {
        let own = self.kind.database().await;
        let log = SqlLog::new(own.database().await.unwrap()).await.unwrap();
        Lane { stage: self, own, log, hosts: Vec::new() }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A log, and the processes that run its sagas.
pub(super) struct Lane<'a> {
    stage: &'a Stage,
    own: TestDatabase,
    log: SqlLog<Any>,
    hosts: Vec<Process>,
}

impl Lane<'_> {
    /// Runs one saga in one process, until it has ended and its last kill has happened; one before it may have taken the place of another.
    /// Gives how many transitions its log has.
    pub(super) async fn alone(&mut self, order: &Order) -> u64 {
        if self.hosts.is_empty() {
            self.hosts.push(self.host());
        }
        self.hosts[0].say(order);
        let (began, mut is_killed) = (Instant::now(), false);
        loop {
            if self.revive(|_| vec![order]) && !is_killed && self.stage.kills.last_happened(order) {
                is_killed = true;
                check::is_written(order, self.log.load(&id(order)).await.unwrap().as_ref());
            }
            let at_rest = self.at_rest(order).await;
            if let Some(instance) = at_rest.filter(|_| self.stage.kills.last_happened(order)) {
                let seq = instance.seq;
                self.stage.ended.lock().unwrap().push(instance);
                return seq;
            }
            if began.elapsed() > LIMIT {
                panic!("{order:?} has not ended in {LIMIT:?}; {}", self.story(order).await);
            }
            sleep(LOOK).await;
        }
    }

    /// Runs sagas in the same few processes, so many at a time, until all have ended. Their kills happen, or not.
    pub(super) async fn together(mut self, orders: &[Order], at_once: usize) {
        self.hosts = (0..HOSTS).map(|_| self.host()).collect();
        let mut coming = orders.iter().enumerate();
        let mut open: Vec<(usize, &Order, Instant)> = Vec::new();
        loop {
            while open.len() < at_once
                && let Some((number, order)) = coming.next()
            {
                self.hosts[number % HOSTS].say(order);
                open.push((number % HOSTS, order, Instant::now()));
            }
            if open.is_empty() {
                return;
            }
            self.revive(|host| open.iter().filter(|(at, ..)| *at == host).map(|(_, order, _)| *order).collect());
            let mut still = Vec::new();
            for (host, order, began) in open {
                match self.at_rest(order).await {
                    Some(instance) => self.stage.ended.lock().unwrap().push(instance),
                    None if began.elapsed() > LIMIT => {
                        panic!("{order:?} has not ended in {LIMIT:?}; {}", self.story(order).await)
                    }
                    None => still.push((host, order, began)),
                }
            }
            open = still;
            sleep(LOOK).await;
        }
    }

    fn host(&self) -> Process {
        let settings = [("LOG", self.own.url().to_owned()), ("BROKER", self.stage.node.uri())];
        Process::start("host", &self.stage.folder, settings)
    }

    /// Starts processes that were killed again, which do not know what they had been told. Gives whether there were any.
    fn revive<'o>(&mut self, told: impl Fn(usize) -> Vec<&'o Order>) -> bool {
        let mut any = false;
        for number in 0..self.hosts.len() {
            if self.hosts[number].was_killed() {
                self.stage.killed.hosts.fetch_add(1, Ordering::Relaxed);
                self.hosts[number] = self.host();
                told(number).into_iter().for_each(|order| self.hosts[number].say(order));
                any = true;
            }
        }
        any
    }

    async fn at_rest(&self, order: &Order) -> Option<Instance> {
        let instance = self.log.load(&id(order)).await.unwrap()?;
        (instance.state.is_over() || instance.state == SagaState::Parked).then_some(instance)
    }

    /// What happened to a saga, for whoever reads why a test failed.
    async fn story(&self, order: &Order) -> String {
        let timeline = self.log.timeline(&id(order)).await.unwrap();
        timeline.iter().map(|entry| format!("\n  {} {}", entry.at_ms, entry.what)).collect()
    }
}

fn id(order: &Order) -> SagaId {
    SagaId::new("fulfil", &order.id)
}

/// One process. Killed with its drop.
struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    fn start(role: &str, kills: &Path, settings: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_program-sagas"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ROLE", role)
            .env("KILLS", kills)
            .envs(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        Self { child, stdin }
    }

    /// Tells it to start a saga. Where it is dead, whoever starts it again tells it again.
    fn say(&mut self, order: &Order) {
        let line = serde_json::to_string(order).unwrap();
        let _ = writeln!(self.stdin.as_mut().unwrap(), "{line}");
    }

    /// Whether it has ended, which it does by SIGKILL alone.
    fn was_killed(&mut self) -> bool {
        let Some(status) = self.child.try_wait().unwrap() else { return false };
        assert_eq!(status.signal(), Some(9), "it ended otherwise: {status}");
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
