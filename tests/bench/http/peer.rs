//! A measured program: does what the driver asks for on its standard input, a line each way.

use std::{net::SocketAddr, sync::Arc};

use kinoko::RunningApp;

use super::{Ask, client::Client, framework, plain};
use crate::{
    Failed,
    load::Load,
    measured::{Allocations, commands, say},
    process,
};

/// Which of the measured programs this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    PlainServer,
    FrameworkServer,
    Client,
}

const NAMES: [(Role, &str); 3] =
    [(Role::PlainServer, "http-plain"), (Role::FrameworkServer, "http-framework"), (Role::Client, "http-client")];

impl Role {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(role, _)| *role)
    }

    /// Starts a program in this role; returns when it is ready.
    pub(crate) fn start(self) -> Result<process::Peer, Failed> {
        let name = NAMES.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name);
        process::Peer::start(name, &[])
    }
}

/// What a measured program holds on to.
enum Peer {
    Plain(SocketAddr),
    Framework(Box<RunningApp>),
    Client(Option<Arc<Client>>),
}

/// Runs a measured program until its standard input ends. All of them use one current-thread runtime.
pub(crate) fn run(role: Role) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let peer = match role {
            Role::PlainServer => Peer::Plain(plain::start().await?),
            Role::FrameworkServer => Peer::Framework(Box::new(framework::start().await?)),
            Role::Client => Peer::Client(None),
        };
        obey(peer).await
    })
}

async fn obey(mut peer: Peer) -> Result<(), Failed> {
    let mut commands = commands();
    let mut allocations = Allocations::new();
    say("ready")?;
    while let Some(command) = commands.recv().await {
        let words: Vec<&str> = command.split(' ').collect();
        match (&mut peer, &words[..]) {
            (_, ["allocations"]) => say(&allocations.since().to_string())?,
            (Peer::Plain(address), ["address"]) => say(&address.to_string())?,
            (Peer::Framework(app), ["address"]) => say(&app.http_address().ok_or("it listens")?.to_string())?,
            (Peer::Client(client), ["connect", address]) => {
                *client = Some(Client::new(address.parse()?));
                say("connected")?;
            }
            (Peer::Client(Some(client)), ["run", ask, load @ ..]) => {
                say(&client.load(Ask::parse(ask)?, Load::from_words(load)?).await?.to_line())?;
            }
            _ => return Err(format!("no command: {command}").into()),
        }
    }
    match peer {
        Peer::Framework(app) => Ok(app.stop().await?),
        _ => Ok(()),
    }
}
