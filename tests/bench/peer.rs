//! A measured program: does what the driver asks for on its standard input, a line each way.

use std::{
    any::Any,
    io::{BufRead, Write},
    sync::Arc,
};

use alloc_tracker::{Operation, ProcessSpan, Session};
use tokio::sync::mpsc;

use crate::{
    Failed, framework,
    load::{self, Load},
    memory,
    options::Options,
    payload::{Codec, Payload},
    plain, start, twin,
};

/// Which of the measured programs this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    TwinServer,
    TwinClient,
    PlainServer,
    PlainClient,
    FrameworkServer,
    FrameworkClient,
    /// Calls and answers through tokio's channels.
    Channels,
    /// Calls and answers through kinoko's in-process broker.
    Memory,
    /// Starts a service, says how long it took, and ends.
    Start,
}

const NAMES: [(Role, &str); 9] = [
    (Role::TwinServer, "twin-server"),
    (Role::TwinClient, "twin-client"),
    (Role::PlainServer, "plain-server"),
    (Role::PlainClient, "plain-client"),
    (Role::FrameworkServer, "framework-server"),
    (Role::FrameworkClient, "framework-client"),
    (Role::Channels, "channels"),
    (Role::Memory, "memory"),
    (Role::Start, "start"),
];

impl Role {
    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(role, _)| *role).ok_or_else(|| format!("no role `{text}`"))
    }
}

/// What a measured program can do.
pub(crate) enum Peer {
    /// A server that needs nothing but to live on.
    Answering {
        _server: Box<dyn Any>,
    },
    TwinClient(Arc<twin::Client>),
    PlainClient(Arc<plain::Client>),
    FrameworkServer(framework::Server),
    FrameworkClient(framework::Client),
    Channels(memory::Channels),
    Memory(memory::InProcess),
}

/// Runs a measured program until its standard input ends. All of them use one current-thread runtime.
pub(crate) fn run(role: Role, options: &Options) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let codec = options.codecs.first().copied().unwrap_or(Codec::MessagePack);
    let broker = options.broker.as_str();
    runtime.block_on(async {
        let peer = match role {
            Role::Start => return start::measured(broker).await,
            Role::TwinServer => Peer::Answering { _server: Box::new(twin::Server::start(broker).await?) },
            Role::TwinClient => Peer::TwinClient(twin::Client::connect(broker, codec).await?),
            Role::PlainServer => Peer::Answering { _server: Box::new(plain::Server::start(broker).await?) },
            Role::PlainClient => Peer::PlainClient(plain::Client::connect(broker).await?),
            Role::FrameworkServer => Peer::FrameworkServer(framework::Server::start(broker).await?),
            Role::FrameworkClient => Peer::FrameworkClient(framework::Client::connect(broker, codec).await?),
            Role::Channels => Peer::Channels(memory::Channels::start(codec)),
            Role::Memory => Peer::Memory(memory::InProcess::start(codec).await?),
        };
        obey(peer).await
    })
}

async fn obey(peer: Peer) -> Result<(), Failed> {
    let mut commands = commands();
    let mut allocations = Allocations::new();
    say("ready")?;
    while let Some(command) = commands.recv().await {
        let words: Vec<&str> = command.split(' ').collect();
        match words[..] {
            ["run", ref load @ ..] => say(&peer.load(Load::from_words(load)?).await?.to_line())?,
            ["allocations"] => say(&allocations.since().to_string())?,
            ["busy"] => say(&peer.busy().to_string())?,
            ["queue", name] => say(&peer.queue(name).await?)?,
            ["delete", name] => say(&peer.delete(name).await?)?,
            _ => return Err(format!("no command: {command}").into()),
        }
    }
    match peer {
        Peer::FrameworkServer(server) => server.stop().await,
        _ => Ok(()),
    }
}

/// Counts the allocations of all threads, from look to look.
struct Allocations {
    session: Session,
    operation: Operation,
    span: Option<ProcessSpan>,
    told: u64,
}

impl Allocations {
    fn new() -> Self {
        let session = Session::new().no_stdout().no_file();
        let operation = session.operation("all");
        let span = Some(operation.measure_process());
        Self { session, operation, span, told: 0 }
    }

    fn since(&mut self) -> u64 {
        // A span counts when it ends.
        drop(self.span.take().map(|span| span.iterations(1)));
        let total = self.session.to_report().operations().map(|(_, all)| all.total_allocations_count()).sum();
        self.span = Some(self.operation.measure_process());
        total - std::mem::replace(&mut self.told, total)
    }
}

impl Drop for Allocations {
    fn drop(&mut self) {
        drop(self.span.take().map(|span| span.iterations(1)));
    }
}

impl Peer {
    async fn load(&self, run: Load) -> Result<load::Done, Failed> {
        let payload = Payload::of_bytes(run.bytes);
        match self {
            Self::TwinClient(client) => client.clone().load(run, payload).await,
            Self::PlainClient(client) => client.clone().load(run).await,
            Self::FrameworkClient(client) => client.load(run, payload).await,
            Self::Channels(channels) => channels.load(run, payload).await,
            Self::Memory(memory) => memory.load(run, payload).await,
            _ => Err("a server makes no calls".into()),
        }
    }

    /// Calls that wait for a reply, or workers that run.
    fn busy(&self) -> usize {
        match self {
            Self::FrameworkServer(server) => server.running_workers(),
            Self::FrameworkClient(client) => client.pending_calls(),
            _ => 0,
        }
    }

    async fn queue(&self, name: &str) -> Result<String, Failed> {
        match self {
            Self::TwinClient(client) => client.queue(name).await,
            _ => Err("only the twin's client looks at queues".into()),
        }
    }

    async fn delete(&self, name: &str) -> Result<String, Failed> {
        match self {
            Self::TwinClient(client) => client.delete(name).await,
            _ => Err("only the twin's client deletes queues".into()),
        }
    }
}

fn commands() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn say(line: &str) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
