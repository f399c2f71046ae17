//! Where a database is, and how it is connected to.

use std::time::Duration;

use super::backend::{Backend, Dialect};
use crate::{
    Error, ErrorKind, Result,
    config::{SettingInfo, without_passwords},
    dependency::SetupContext,
};

pub(super) const MAX_CONNECTIONS: u32 = 10;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const MIGRATE: bool = true;
const TABLES: bool = true;
const RELAY: bool = true;
const POLL: Duration = Duration::from_secs(5);
const URL: &str = "sqlite:{service}.db";

/// What the settings say of a database.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) url: String,
    /// The service whose field it is.
    pub(super) service: Option<String>,
    pub(super) max_connections: u32,
    pub(super) acquire_timeout: Duration,
    /// Whether the program's migrations run at the start.
    pub(super) migrate: bool,
    /// Whether kinoko makes its own tables.
    pub(super) tables: bool,
    /// Whether this process sends what is in the outbox.
    pub(super) relay: bool,
    /// How often it looks without being told.
    pub(super) poll: Duration,
}

impl Place {
    /// The settings that [`read`](Self::read) reads.
    pub(super) fn settings(section: &str, url: Option<&str>) -> Vec<SettingInfo> {
        vec![
            SettingInfo::new(format!("{section}.url")).default_text(url.unwrap_or(URL).to_owned()),
            SettingInfo::new(format!("{section}.max_connections")).default_text(MAX_CONNECTIONS.to_string()),
            SettingInfo::new(format!("{section}.acquire_timeout")).default_text("5s"),
            SettingInfo::new(format!("{section}.migrate")).default_text(MIGRATE.to_string()),
            SettingInfo::new(format!("{section}.tables")).default_text(TABLES.to_string()),
            SettingInfo::new(format!("{section}.relay")).default_text(RELAY.to_string()),
            SettingInfo::new(format!("{section}.outbox.poll")).default_text("5s"),
        ]
    }

    pub(super) async fn read(cx: &SetupContext, section: &str, default: Option<String>) -> Result<Self> {
        let settings = cx.settings();
        let key = |name: &str| format!("{section}.{name}");
        let url = match settings.get::<String>(&key("url"))? {
            Some(url) => url,
            None => {
                let default = default.unwrap_or_else(|| URL.replace("{service}", cx.service()));
                cx.database_of_test(&default).await?.unwrap_or(default)
            }
        };
        let max_connections = settings.get(&key("max_connections"))?.unwrap_or(MAX_CONNECTIONS);
        if max_connections == 0 {
            return Err(settings.refuse(&key("max_connections"), "0 connections reach no database"));
        }
        let acquire_timeout = settings.duration(&key("acquire_timeout"), ACQUIRE_TIMEOUT)?;
        let migrate = settings.get(&key("migrate"))?.unwrap_or(MIGRATE);
        let tables = settings.get(&key("tables"))?.unwrap_or(TABLES);
        let relay = settings.get(&key("relay"))?.unwrap_or(RELAY);
        let poll = settings.duration(&key("outbox.poll"), POLL)?;
        if poll.is_zero() {
            return Err(settings.refuse(&key("outbox.poll"), "`0s` would look all the time; leave it out for `5s`"));
        }
        let service = Some(cx.service().to_owned());
        Ok(Self { url, service, max_connections, acquire_timeout, migrate, tables, relay, poll })
    }

    /// Where nothing else is said.
    pub(super) fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            service: None,
            max_connections: MAX_CONNECTIONS,
            acquire_timeout: ACQUIRE_TIMEOUT,
            migrate: MIGRATE,
            tables: TABLES,
            relay: RELAY,
            poll: POLL,
        }
    }

    /// Those with the same one are the same database. In memory there is one for each service: nothing but its URL would tell them apart.
    pub(super) fn identity(&self) -> String {
        match (&self.service, Dialect::of(&self.url)) {
            (Some(service), Some(dialect)) if self.is_in_memory(dialect) => format!("{} of {service}", self.url),
            _ => self.url.clone(),
        }
    }

    /// The URL without its password.
    pub(super) fn shown(&self) -> String {
        without_passwords(&self.url)
    }

    /// Whether the database ends with its connection.
    pub(super) fn is_in_memory(&self, dialect: Dialect) -> bool {
        dialect == Dialect::Sqlite && (self.url.contains(":memory:") || self.url.contains("mode=memory"))
    }

    /// The URL as the driver is given it: SQLite makes the file where there is none.
    pub(super) fn with_file(&self, dialect: Dialect) -> String {
        let url = &self.url;
        match dialect {
            Dialect::Sqlite if !self.is_in_memory(dialect) && !url.contains("mode=") => {
                format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })
            }
            _ => url.clone(),
        }
    }

    pub(super) fn dialect<D: Backend>(&self) -> Result<Dialect> {
        let of_url = Dialect::of(&self.url).ok_or_else(|| {
            let text = format!(
                "`{}` is no database that kinoko knows: write `sqlite:file.db`, or `postgres://user:password@host/name`",
                self.shown()
            );
            Error::new(ErrorKind::Config, text)
        })?;
        match D::DIALECT {
            Some(dialect) if dialect != of_url => {
                let text = format!(
                    "`{}` is no database of {}, which the type of the field names: write `Database` for either",
                    self.shown(),
                    D::NAME
                );
                Err(Error::new(ErrorKind::Config, text))
            }
            _ => Ok(of_url),
        }
    }
}
