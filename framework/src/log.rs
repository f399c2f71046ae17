//! What `run` does about logging where the program itself does nothing.

use std::{
    io::IsTerminal,
    sync::{Mutex, OnceLock, PoisonError},
};

use kinoko_text::nearest;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::{Result, config::Settings};

/// The AMQP library's own lines: what matters of them the transport says itself, and one of them holds the bodies of returned
/// messages. Whoever wants the rest names the library in the setting.
const LIBRARY: &str = "lapin";
const RETURNED_BODIES: &str = "lapin::returned_messages";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const FORMATS: [&str; 2] = ["text", "json"];

/// Logs to standard error as the settings `log` (default `info`) and `log_format` say, unless the program has a subscriber already.
pub(crate) fn install(settings: &Settings) -> Result<()> {
    let wanted = settings.get::<String>("log")?.unwrap_or_else(|| "info".to_owned());
    let targets = targets(&wanted).map_err(|text| settings.refuse("log", text))?;
    let json = match settings.get::<String>("log_format")?.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return Err(settings.refuse("log_format", neither("format", other, &FORMATS))),
    };
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(!json && std::io::stderr().is_terminal());
    let lines = match json {
        true => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
        false => lines.boxed(),
    };
    let (targets, handle) = reload::Layer::new(targets);
    // A subscriber that is there already is the program's own choice.
    if tracing_subscriber::registry().with(lines.with_filter(targets)).try_init().is_ok() {
        let changeable = Changeable { handle, wanted: Mutex::new(wanted) };
        // There is one log in a process, and it was installed just now.
        let _ = INSTALLED.set(changeable);
    }
    Ok(())
}

/// The log that kinoko installed.
static INSTALLED: OnceLock<Changeable> = OnceLock::new();

struct Changeable {
    handle: reload::Handle<Targets, Registry>,
    /// What passes, as it was written.
    wanted: Mutex<String>,
}

/// What passes at the moment; `None`: the log is the program's own.
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds asks"))]
pub(crate) fn current() -> Option<String> {
    INSTALLED.get().map(|installed| installed.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Lets something else pass from now on. `false`: the log is the program's own.
///
/// # Errors
///
/// What is wrong with it.
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds changes it"))]
pub(crate) fn change(wanted: &str) -> Result<bool, String> {
    let targets = targets(wanted)?;
    let Some(Changeable { handle, wanted: kept }) = INSTALLED.get() else { return Ok(false) };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    tracing::warn!(from = *kept, to = wanted, "what is logged changes");
    handle.reload(targets).map_err(|error| error.to_string())?;
    wanted.clone_into(&mut kept);
    Ok(true)
}

/// What passes: a level for all, `target=level` for some.
///
/// Read here and not by `Targets`, to which a level with a slip in it is a target.
fn targets(wanted: &str) -> Result<Targets, String> {
    let mut targets = Targets::new();
    for part in wanted.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        targets = match part.split_once('=') {
            None => targets.with_default(level(part)?),
            Some((target, word)) => targets.with_target(target.trim(), level(word.trim())?),
        };
    }
    targets = targets.with_target(RETURNED_BODIES, LevelFilter::OFF);
    if !wanted.contains(LIBRARY) {
        targets = targets.with_target(LIBRARY, LevelFilter::OFF);
    }
    Ok(targets)
}

fn level(word: &str) -> Result<LevelFilter, String> {
    let known = LEVELS.iter().find(|level| level.eq_ignore_ascii_case(word));
    known.and_then(|level| level.parse().ok()).ok_or_else(|| {
        format!("{}; for one target write `{word}=debug`, with commas between several", neither("level", word, &LEVELS))
    })
}

fn neither(what: &str, word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("`{word}` is no {what}: did you mean `{near}`?"),
        None => format!("`{word}` is no {what}: write {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_and_targets_are_read_in_any_case() {
        let targets = targets("warn, orders=DEBUG,kinoko::client=off").unwrap();
        assert!(targets.would_enable("anything", &Level::WARN) && !targets.would_enable("anything", &Level::INFO));
        assert!(targets.would_enable("orders::stock", &Level::DEBUG) && !targets.would_enable("orders", &Level::TRACE));
        assert!(!targets.would_enable("kinoko::client", &Level::ERROR));
        assert!(!targets.would_enable("lapin::channel", &Level::ERROR));
        let targets = super::targets("off,lapin=trace").unwrap();
        assert!(targets.would_enable("lapin::channel", &Level::TRACE) && !targets.would_enable("x", &Level::ERROR));
        assert!(!targets.would_enable(RETURNED_BODIES, &Level::ERROR));
    }

    #[test]
    fn a_slip_in_a_level_is_told() {
        for (wanted, said) in [
            ("inof", "`inof` is no level: did you mean `info`?"),
            ("info,orders=debgu", "`debgu` is no level: did you mean `debug`?"),
            (
                "orders",
                "`orders` is no level: write off, error, warn, info, debug, trace; for one target write `orders=debug`",
            ),
        ] {
            assert!(targets(wanted).unwrap_err().starts_with(said), "{wanted}");
        }
    }
}
