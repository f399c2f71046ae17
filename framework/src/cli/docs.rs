//! `docs`: the documents of the services, as `/openapi.json` and `/asyncapi.json` have them. Nothing is started.

use std::path::PathBuf;

use clap::ArgMatches;

use super::{print, texts};
use crate::{Error, Result, config::Settings, container::App};

/// Which documents there are.
pub(super) const DOCUMENTS: &[&str] = &[
    #[cfg(feature = "http")]
    "openapi",
    "asyncapi",
];

pub(super) fn run(app: App, settings: Settings, matches: &ArgMatches) -> Result<()> {
    let app = match texts(matches, "services") {
        names if names.is_empty() => app,
        names => app.only(names),
    };
    let app = app.settings(settings);
    let document = match matches.get_one::<String>("document").map(String::as_str) {
        #[cfg(feature = "http")]
        Some("openapi") => app.openapi()?,
        _ => app.asyncapi()?,
    };
    let text = format!("{}\n", serde_json::to_string_pretty(&document)?);
    match matches.get_one::<PathBuf>("output") {
        None => print(&text),
        Some(file) => std::fs::write(file, text)
            .map_err(|error| Error::msg(format!("`{}` cannot be written: {error}", file.display()))),
    }
}
