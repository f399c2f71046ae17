//! What `run` does about logging where the program itself does nothing.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{Error, ErrorKind, Result, config::Settings};

/// The AMQP library's own lines: what matters of them the transport says itself, and one of them holds the bodies of returned
/// messages. Whoever wants the rest names the library in the setting.
const LIBRARY: &str = "lapin";
const RETURNED_BODIES: &str = "lapin::returned_messages";

/// Logs to standard error as the setting `log` says (default `info`), unless the program has a subscriber already.
pub(crate) fn install(settings: &Settings) -> Result<()> {
    let wanted = settings.get::<String>("log")?.unwrap_or_else(|| "info".to_owned());
    let targets: Targets = wanted.parse().map_err(|error| {
        let text =
            format!("setting `log`: `{wanted}`: {error}; write a level, or `target=level` pairs with commas between");
        Error::new(ErrorKind::Config, text)
    })?;
    let mut targets = targets.with_target(RETURNED_BODIES, LevelFilter::OFF);
    if !wanted.contains(LIBRARY) {
        targets = targets.with_target(LIBRARY, LevelFilter::OFF);
    }
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // A subscriber that is there already is the program's own choice.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
    Ok(())
}
