//! The measured program: runs sagas, or what stands beside them, as the driver asks for it.

use kinoko::{
    sql::{Database, Dialect},
    testing::TestDatabase,
};
use kinoko_tests::postgres_url;

use super::{
    framework::{self, Host},
    twin::Twin,
};
use crate::{
    Failed,
    load::{Done, Load},
    measured::{Allocations, commands, say},
    process,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The steps, without a saga.
    Plain,
    Memory,
    Sqlite,
    Postgres,
    TwinSqlite,
    TwinPostgres,
}

const ROLES: [(Role, &str, &str); 6] = [
    (Role::Plain, "sagas-plain", ""),
    (Role::Memory, "sagas-memory", "memory"),
    (Role::Sqlite, "sagas-sqlite", "SQLite"),
    (Role::Postgres, "sagas-postgres", "PostgreSQL"),
    (Role::TwinSqlite, "sagas-twin-sqlite", "SQLite"),
    (Role::TwinPostgres, "sagas-twin-postgres", "PostgreSQL"),
];

impl Role {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        ROLES.iter().find(|(_, name, _)| *name == text).map(|(role, ..)| *role)
    }

    /// Where its sagas are.
    pub(super) fn log(self) -> &'static str {
        ROLES.iter().find(|(role, ..)| *role == self).map_or("", |(.., log)| log)
    }

    /// Starts a program in this role; returns when it is ready.
    pub(super) fn start(self) -> Result<process::Peer, Failed> {
        let name = ROLES.iter().find(|(role, ..)| *role == self).map_or("", |(_, name, _)| name);
        process::Peer::start(name, &[])
    }
}

enum Peer {
    Plain,
    Host(Host),
    Twin(Twin),
}

pub(crate) fn run(role: Role) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let own = match role {
            Role::Plain | Role::Memory => None,
            Role::Sqlite | Role::TwinSqlite => Some(TestDatabase::sqlite().await?),
            Role::Postgres | Role::TwinPostgres => Some(TestDatabase::postgres(&postgres_url()).await?),
        };
        let peer = match (role, &own) {
            (Role::Plain, _) => Peer::Plain,
            (Role::TwinSqlite | Role::TwinPostgres, Some(own)) => Peer::Twin(Twin::open(own.database().await?).await?),
            (_, own) => Peer::Host(Host::start(own.as_ref().map_or("memory://", TestDatabase::url)).await?),
        };
        obey(&peer, own.as_ref()).await
    })
}

async fn obey(peer: &Peer, own: Option<&TestDatabase>) -> Result<(), Failed> {
    let mut commands = commands();
    let mut allocations = Allocations::new();
    say("ready")?;
    while let Some(command) = commands.recv().await {
        let words: Vec<&str> = command.split(' ').collect();
        match words[..] {
            ["run", ref load @ ..] => say(&peer.load(Load::from_words(load)?).await?.to_line())?,
            ["allocations"] => say(&allocations.since().to_string())?,
            ["settings"] => say(&settings(own.ok_or("it has a database")?).await?)?,
            _ => return Err(format!("no command: {command}").into()),
        }
    }
    Ok(())
}

impl Peer {
    async fn load(&self, run: Load) -> Result<Done, Failed> {
        match self {
            Self::Plain => framework::bare(run).await,
            Self::Host(host) => host.load(run).await,
            Self::Twin(twin) => twin.load(run).await,
        }
    }
}

/// What a commit waits for.
async fn settings(own: &TestDatabase) -> Result<String, Failed> {
    let db: Database = own.database().await?;
    let names: &[(&str, &str)] = match db.dialect() {
        Dialect::Postgres => &[
            ("server_version", "SHOW server_version"),
            ("fsync", "SHOW fsync"),
            ("synchronous_commit", "SHOW synchronous_commit"),
        ],
        _ => &[("journal_mode", "PRAGMA journal_mode")],
    };
    let mut told = Vec::new();
    for &(name, sql) in names {
        let value: String = sqlx::query_scalar(sql).fetch_one(&*db).await?;
        told.push(format!("{name} {value}"));
    }
    if db.dialect() == Dialect::Sqlite {
        let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&*db).await?;
        told.push(format!("synchronous {level}"));
    }
    Ok(told.join(", "))
}
