//! A measured program: does what the driver asks for on its standard input, a line each way.

use std::net::SocketAddr;

use kinoko::RunningApp;

use super::{framework, plain};
use crate::{
    Failed,
    load::{self, Clock, Load},
    measured::{Allocations, commands, say},
    process,
};

/// Which of the measured programs this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    PlainServer,
    PlainClient,
    FrameworkServer,
    FrameworkClient,
}

const NAMES: [(Role, &str); 4] = [
    (Role::PlainServer, "grpc-plain-server"),
    (Role::PlainClient, "grpc-plain-client"),
    (Role::FrameworkServer, "grpc-framework-server"),
    (Role::FrameworkClient, "grpc-framework-client"),
];

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
    PlainServer(SocketAddr),
    FrameworkServer(Box<RunningApp>),
    PlainClient(Option<plain::Client>),
    FrameworkClient(Option<framework::Client>),
}

/// Runs a measured program until its standard input ends. All of them use one current-thread runtime.
pub(crate) fn run(role: Role) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let peer = match role {
            Role::PlainServer => Peer::PlainServer(plain::start().await?),
            Role::FrameworkServer => Peer::FrameworkServer(Box::new(framework::start().await?)),
            Role::PlainClient => Peer::PlainClient(None),
            Role::FrameworkClient => Peer::FrameworkClient(None),
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
            (Peer::PlainServer(address), ["address"]) => say(&address.to_string())?,
            (Peer::FrameworkServer(app), ["address"]) => say(&app.grpc_address().ok_or("it listens")?.to_string())?,
            (Peer::PlainClient(client), ["connect", address]) => {
                *client = Some(plain::connect(address).await?);
                say("connected")?;
            }
            (Peer::FrameworkClient(client), ["connect", address]) => {
                *client = Some(framework::connect(address)?);
                say("connected")?;
            }
            (Peer::PlainClient(Some(client)), ["run", load @ ..]) => {
                let (client, load) = (client.clone(), Load::from_words(load)?);
                let words = vec![7; load.bytes];
                let say_it = move || {
                    let (client, words) = (client.clone(), words.clone());
                    async move { plain::call(client, words).await }
                };
                say(&load::run(load, Clock::Seldom, say_it).await?.to_line())?;
            }
            (Peer::FrameworkClient(Some(client)), ["run", load @ ..]) => {
                let (client, load) = (client.clone(), Load::from_words(load)?);
                let words = vec![7; load.bytes];
                let say_it = move || {
                    let (client, words) = (client.clone(), words.clone());
                    async move { framework::call(client, words).await }
                };
                say(&load::run(load, Clock::Seldom, say_it).await?.to_line())?;
            }
            _ => return Err(format!("no command: {command}").into()),
        }
    }
    match peer {
        Peer::FrameworkServer(app) => Ok(app.stop().await?),
        _ => Ok(()),
    }
}
