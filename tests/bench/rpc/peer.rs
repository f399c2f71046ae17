//! A measured program: does what the driver asks for on its standard input, a line each way.

use std::{any::Any, sync::Arc};

use super::{Path, framework, guarded, memory, plain, start, twin};
use crate::{
    Failed,
    load::{self, Load},
    measured::{Allocations, commands, say},
    options::Options,
    payload::{Codec, Payload},
    process,
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
    GuardedServer,
    GuardedClient,
    /// Answers what is not guarded.
    TokenServer,
    /// Calls it without a token.
    OpenClient,
    /// Calls it with a token that it takes no notice of.
    TokenClient,
    /// Calls and answers through tokio's channels.
    Channels,
    /// Calls and answers through kinoko's in-process broker.
    Memory,
    /// The same, of a guarded method.
    MemoryGuarded,
    MemoryToken,
    MemoryOpen,
    /// Starts a service, says how long it took, and ends.
    Start,
}

const NAMES: [(Role, &str); 17] = [
    (Role::TwinServer, "twin-server"),
    (Role::TwinClient, "twin-client"),
    (Role::PlainServer, "plain-server"),
    (Role::PlainClient, "plain-client"),
    (Role::FrameworkServer, "framework-server"),
    (Role::FrameworkClient, "framework-client"),
    (Role::GuardedServer, "guarded-server"),
    (Role::GuardedClient, "guarded-client"),
    (Role::TokenServer, "token-server"),
    (Role::TokenClient, "token-client"),
    (Role::OpenClient, "open-client"),
    (Role::Channels, "channels"),
    (Role::Memory, "memory"),
    (Role::MemoryGuarded, "memory-guarded"),
    (Role::MemoryToken, "memory-token"),
    (Role::MemoryOpen, "memory-open"),
    (Role::Start, "start"),
];

impl Role {
    fn name(self) -> &'static str {
        NAMES.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(role, _)| *role)
    }

    /// Starts a program in this role; returns when it is ready.
    pub(crate) fn start(self, codec: Codec, broker: &str) -> Result<process::Peer, Failed> {
        process::Peer::start(self.name(), &["--codec", codec.name(), "--broker", broker])
    }

    /// Starts a program in this role, and waits for nothing.
    pub(crate) fn launch(self, codec: Codec, broker: &str) -> Result<process::Peer, Failed> {
        process::Peer::launch(self.name(), &["--codec", codec.name(), "--broker", broker])
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
    Guarded(guarded::Client),
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
            Role::GuardedServer | Role::TokenServer => {
                Peer::Answering { _server: Box::new(guarded::Server::start(broker, codec, role).await?) }
            }
            Role::GuardedClient | Role::TokenClient | Role::OpenClient => {
                Peer::Guarded(guarded::Client::connect(broker, codec, role).await?)
            }
            Role::Channels => Peer::Channels(memory::Channels::start(codec)),
            Role::Memory => Peer::Memory(memory::InProcess::start(codec).await?),
            Role::MemoryGuarded | Role::MemoryToken | Role::MemoryOpen => {
                Peer::Guarded(guarded::Client::in_memory(codec, role).await?)
            }
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
            ["run", path, ref load @ ..] => {
                say(&peer.load(Path::parse(path)?, Load::from_words(load)?).await?.to_line())?;
            }
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

impl Peer {
    async fn load(&self, path: Path, run: Load) -> Result<load::Done, Failed> {
        let payload = Payload::of_bytes(run.bytes);
        match self {
            Self::TwinClient(client) => client.clone().load(path, run, payload).await,
            Self::PlainClient(client) => client.clone().load(run).await,
            Self::FrameworkClient(client) => client.load(path, run, payload).await,
            Self::Guarded(client) => client.load(run, payload).await,
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
