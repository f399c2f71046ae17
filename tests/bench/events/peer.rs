//! A measured program: does what the driver asks for on its standard input, a line each way.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions},
    types::FieldTable,
};
use tokio::sync::Notify;

use super::{QueueType, framework, memory, twin};
use crate::{
    Failed,
    load::{Clock, Done, Load},
    measured::{Allocations, commands, say},
    options::Options,
    payload::Payload,
    process,
};

/// Which of the measured programs this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    TwinDispatcher,
    TwinHandler,
    FrameworkDispatcher,
    FrameworkHandler,
    /// Dispatches and handles through a tokio channel.
    Channel,
    /// Dispatches and handles through kinoko's in-process broker.
    InProcess,
    /// Looks at queues, and removes what is in them.
    Keeper,
}

const NAMES: [(Role, &str); 7] = [
    (Role::TwinDispatcher, "twin-dispatcher"),
    (Role::TwinHandler, "twin-handler"),
    (Role::FrameworkDispatcher, "framework-dispatcher"),
    (Role::FrameworkHandler, "framework-handler"),
    (Role::Channel, "event-channel"),
    (Role::InProcess, "event-in-process"),
    (Role::Keeper, "keeper"),
];

impl Role {
    fn name(self) -> &'static str {
        NAMES.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(role, _)| *role)
    }

    /// Starts a program in this role; returns when it is ready.
    pub(crate) fn start(self, queue: QueueType, broker: &str) -> Result<process::Peer, Failed> {
        process::Peer::start(self.name(), &["--queue", queue.name(), "--broker", broker])
    }
}

/// How many events this process has handled.
pub(crate) static HANDLED: Handled =
    Handled { count: AtomicU64::new(0), goal: AtomicU64::new(0), reached: Notify::const_new() };

pub(crate) struct Handled {
    count: AtomicU64,
    goal: AtomicU64,
    reached: Notify,
}

impl Handled {
    /// What every handler does.
    pub(crate) fn note(&self, payload: Payload) {
        black_box(payload);
        if self.count.fetch_add(1, Ordering::SeqCst) + 1 == self.goal.load(Ordering::Relaxed) {
            self.reached.notify_one();
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until so many were handled in all.
    pub(crate) async fn wait(&self, goal: u64) {
        self.goal.store(goal, Ordering::SeqCst);
        while self.count() < goal {
            self.reached.notified().await;
        }
    }
}

/// What a measured program can do.
enum Peer {
    TwinDispatcher(Arc<twin::Dispatcher>),
    FrameworkDispatcher(framework::Dispatcher),
    /// A handler that is not started yet, or not any more.
    Idle,
    TwinHandler(twin::Handler),
    FrameworkHandler(framework::Handler),
    Both(memory::Both),
    Keeper(Keeper),
}

/// Runs a measured program until its standard input ends. All of them use one current-thread runtime.
pub(crate) fn run(role: Role, options: &Options) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let queue = options.queues.first().copied().unwrap_or(QueueType::Quorum);
    runtime.block_on(obey(role, queue, &options.broker))
}

async fn obey(role: Role, queue: QueueType, broker: &str) -> Result<(), Failed> {
    let mut peer = match role {
        Role::TwinDispatcher => Peer::TwinDispatcher(twin::Dispatcher::connect(broker, queue).await?),
        Role::FrameworkDispatcher => Peer::FrameworkDispatcher(framework::Dispatcher::connect(broker, queue).await?),
        Role::TwinHandler | Role::FrameworkHandler => Peer::Idle,
        Role::Channel => Peer::Both(memory::Both::Channel(memory::Channel::start())),
        Role::InProcess => Peer::Both(memory::Both::InProcess(memory::InProcess::start().await?)),
        Role::Keeper => Peer::Keeper(Keeper::connect(broker).await?),
    };
    let mut commands = commands();
    let mut allocations = Allocations::new();
    say("ready")?;
    while let Some(command) = commands.recv().await {
        let words: Vec<&str> = command.split(' ').collect();
        match words[..] {
            ["allocations"] => say(&allocations.since().to_string())?,
            ["dispatch", ref load @ ..] => say(&peer.dispatch(Load::from_words(load)?).await?.to_line())?,
            ["start"] => {
                peer = match role {
                    Role::TwinHandler => Peer::TwinHandler(twin::Handler::start(broker, queue).await?),
                    _ => Peer::FrameworkHandler(framework::Handler::start(broker, queue).await?),
                };
                say("started")?;
            }
            ["wait", count] => {
                HANDLED.wait(count.parse()?).await;
                say("handled")?;
            }
            ["stop"] => {
                match std::mem::replace(&mut peer, Peer::Idle) {
                    Peer::TwinHandler(handler) => handler.stop().await?,
                    Peer::FrameworkHandler(handler) => handler.stop().await?,
                    _ => return Err("only a started handler can be stopped".into()),
                }
                say("stopped")?;
            }
            [command, queue] => say(&peer.keep(command, queue).await?.to_string())?,
            _ => return Err(format!("no command: {command}").into()),
        }
    }
    Ok(())
}

impl Peer {
    async fn dispatch(&self, run: Load) -> Result<Done, Failed> {
        let payload = Payload::of_bytes(run.bytes);
        match self {
            Self::TwinDispatcher(dispatcher) => dispatcher.clone().load(run, payload).await,
            Self::FrameworkDispatcher(dispatcher) => dispatcher.load(Clock::EveryCall, run, payload).await,
            Self::Both(both) => both.load(run, payload).await,
            _ => Err("only a dispatcher dispatches".into()),
        }
    }

    async fn keep(&self, command: &str, queue: &str) -> Result<u32, Failed> {
        let Self::Keeper(keeper) = self else { return Err(format!("no command: {command}").into()) };
        match command {
            "messages" => {
                let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                let found = keeper.channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
                Ok(found.message_count())
            }
            "purge" => Ok(keeper.channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await?),
            "delete" => Ok(keeper.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?),
            _ => Err(format!("no command: {command}").into()),
        }
    }
}

struct Keeper {
    _connection: Connection,
    channel: Channel,
}

impl Keeper {
    async fn connect(broker: &str) -> Result<Self, Failed> {
        let connection = Connection::connect(broker, ConnectionProperties::default()).await?;
        Ok(Self { channel: connection.create_channel().await?, _connection: connection })
    }
}
