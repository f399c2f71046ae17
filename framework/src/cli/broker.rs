//! The way to the other programs on the broker.

use std::sync::Arc;

use clap::ArgMatches;
use kinoko_text::nearest;

use crate::{
    Error, ErrorKind, Result,
    config::Settings,
    container::App,
    discovery::{Fleet, Kind, Presence},
    transport::{Transport, TransportOptions, connect},
};

/// A connection of a command that looks at others.
pub(super) struct Broker {
    transport: Arc<dyn Transport>,
    pub(super) fleet: Fleet,
}

impl Broker {
    /// Connects for a command.
    pub(super) async fn visit(
        app: &App,
        mut settings: Settings,
        matches: &ArgMatches,
        command: &'static str,
    ) -> Result<Self> {
        let url = app.broker_url(&settings)?;
        if url == "memory://" {
            let text = format!(
                "`{command}` looks at programs that run, and the broker is in this process, where none can be: \
                 set KINOKO_AMQP_URI, or write `--broker amqp://…`; `list` shows what this program has"
            );
            return Err(Error::new(ErrorKind::Usage, text));
        }
        if matches.get_one::<String>("log").is_none() && settings.origin("log").as_deref() != Some("--define") {
            settings.option("log", "warn", command)?;
        }
        crate::log::install(&settings)?;
        app.declare(&settings)?;
        let options = TransportOptions::from_settings(format!("kinoko {command}"), &settings)?;
        let transport = connect(&url, options).await.map_err(app.name_broker(&settings))?;
        match Fleet::visit(&transport).await {
            Ok(fleet) => Ok(Self { transport, fleet }),
            Err(error) => {
                transport.close().await;
                Err(error)
            }
        }
    }

    pub(super) fn address(&self) -> String {
        self.transport.address()
    }

    pub(super) async fn close(self) {
        self.transport.close().await;
    }

    /// The answers of a service's instances, as they came.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] where nobody answers for it.
    pub(super) async fn ask(&self, kind: Kind, service: &str) -> Result<Vec<bytes::Bytes>> {
        let answers = self.fleet.ask(kind, Some(service), crate::discovery::ANSWER_TIME).await?;
        if answers.is_empty() {
            return Err(self.nobody(service).await);
        }
        Ok(answers)
    }

    /// Why a service has no answer.
    pub(super) async fn nobody(&self, service: &str) -> Error {
        let there = self.fleet.ping(None).await.unwrap_or_default();
        let hint = hint(service, &there).map_or_else(String::new, |hint| format!(": {hint}"));
        let text = format!(
            "no program at {} answers for service `{service}`{hint}. A Python service answers calls alone",
            self.address()
        );
        Error::new(ErrorKind::Usage, text)
    }
}

/// How many names are told of those that are there.
const MOST_NAMES: usize = 10;

/// Which service may have been meant, by those that are there.
pub(super) fn hint(service: &str, there: &[Presence]) -> Option<String> {
    let mut names: Vec<_> = there.iter().flat_map(|there| &there.services).map(|there| there.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if let Some(near) = nearest(service, names.iter().copied().filter(|name| *name != service)) {
        return Some(format!("did you mean `{near}`?"));
    }
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("there are {}{more}", names.join(", ")))
}
