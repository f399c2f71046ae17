//! The driver's hold on a measured program.

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::{
    Failed,
    load::{Done, Load},
};

/// A measured program, ended with its handle.
pub(crate) struct Peer {
    role: String,
    child: Child,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    /// Starts this binary again in a role; returns when it is ready.
    pub(crate) fn start(role: &str, options: &[&str]) -> Result<Self, Failed> {
        let mut peer = Self::launch(role, options)?;
        match peer.answer()?.as_str() {
            "ready" => Ok(peer),
            other => Err(format!("{role} is not ready: {other}").into()),
        }
    }

    /// Starts this binary again in a role, and waits for nothing.
    pub(crate) fn launch(role: &str, options: &[&str]) -> Result<Self, Failed> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--role", role])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = child.stdin.take();
        let answers = child.stdout.take().ok_or("the pipe was asked for")?;
        Ok(Self { role: role.to_owned(), child, commands, answers: BufReader::new(answers).lines() })
    }

    /// The next line that it says.
    pub(crate) fn answer(&mut self) -> Result<String, Failed> {
        match self.answers.next() {
            Some(line) => Ok(line?),
            None => Err(format!("{} ended: {}", self.role, self.child.wait()?).into()),
        }
    }

    pub(crate) fn ask(&mut self, command: &str) -> Result<String, Failed> {
        let commands = self.commands.as_mut().ok_or("its standard input is open until it is dropped")?;
        writeln!(commands, "{command}")?;
        self.answer()
    }

    /// Lets it do what a command says, so much of it.
    pub(crate) fn run(&mut self, command: &str, load: Load) -> Result<Done, Failed> {
        Done::from_line(&self.ask(&format!("{command} {}", load.to_line()))?)
    }

    /// Allocations since the last time.
    pub(crate) fn allocations(&mut self) -> Result<u64, Failed> {
        Ok(self.ask("allocations")?.parse()?)
    }

    pub(crate) fn cpu(&self) -> Result<Duration, Failed> {
        cpu(self.child.id())
    }

    /// Resident memory, in KiB.
    pub(crate) fn rss_kib(&self) -> Result<u64, Failed> {
        self.memory("VmRSS:")
    }

    /// The most resident memory that it has had, in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64, Failed> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Result<u64, Failed> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("the kernel tells it")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its standard input ends it, in order.
        self.commands = None;
        let _ = self.child.wait();
    }
}

/// The processor time of all threads that a process has at the moment, to the nanosecond.
fn cpu(pid: u32) -> Result<Duration, Failed> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end in between.
        let Ok(schedstat) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanos += schedstat.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The broker, where it runs on this machine.
pub(crate) struct Broker(Option<u32>);

impl Broker {
    pub(crate) fn find() -> Self {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        Self(processes.filter_map(|process| process.file_name().to_str()?.parse().ok()).find(|pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "beam.smp")
        }))
    }

    /// Its processor time so far; zero where it runs elsewhere.
    pub(crate) fn cpu(&self) -> Duration {
        self.0.and_then(|pid| cpu(pid).ok()).unwrap_or_default()
    }
}
