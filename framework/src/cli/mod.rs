//! The command line that every program has: `run`, `list`, `show-config`, `docs`, `call`, and `ps`, `info` and `stats` of programs that run.

mod arguments;
mod broker;
mod call;
#[cfg(feature = "schema")]
mod docs;
mod failure;
mod info;
mod list;
mod ps;
mod show_config;
mod stats;
mod table;

use std::{io::Write, path::Path};

use clap::{ArgMatches, error::ErrorKind as ClapKind};

use crate::{
    Error, ErrorKind, Result,
    config::Settings,
    container::{App, program_name},
    service::{MethodInfo, ServiceDescriptor},
};

/// Does what the arguments say.
pub(crate) async fn run(mut app: App) -> Result<()> {
    let arguments = app.take_arguments().unwrap_or_else(|| std::env::args_os().skip(1).collect());
    let program = program_name();
    let arguments = std::iter::once(program.clone().into()).chain(arguments);
    let matches = match arguments::command(&program, &app).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(told) if matches!(told.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion) => {
            return print(&told.to_string());
        }
        Err(error) => return Err(misused(&error, &app)),
    };
    // What no command needs at once is in a box: none of them is a large future.
    match matches.subcommand() {
        Some(("list", matches)) => list::run(&app, matches),
        Some(("show-config", matches)) => {
            let settings = settings(&mut app, matches)?;
            show_config::run(&app, &settings, matches)
        }
        #[cfg(feature = "schema")]
        Some(("docs", matches)) => {
            let settings = settings(&mut app, matches)?;
            docs::run(app, settings, matches)
        }
        Some(("call", matches)) => {
            let settings = settings(&mut app, matches)?;
            Box::pin(call::run(app, settings, matches)).await
        }
        Some(("ps", matches)) => {
            let settings = settings(&mut app, matches)?;
            Box::pin(ps::run(app, settings, matches)).await
        }
        Some(("info", matches)) => {
            let settings = settings(&mut app, matches)?;
            Box::pin(info::run(app, settings, matches)).await
        }
        Some(("stats", matches)) => {
            let settings = settings(&mut app, matches)?;
            Box::pin(stats::run(app, settings, matches)).await
        }
        run => {
            let matches = run.map_or(&matches, |(_, matches)| matches);
            let settings = settings(&mut app, matches)?;
            let app = match texts(matches, "services") {
                names if names.is_empty() => app,
                names => app.only(names),
            };
            let next = next_steps(&program, &app);
            Box::pin(app.serve(settings, next)).await
        }
    }
}

/// The settings, with what the options say over them.
fn settings(app: &mut App, matches: &ArgMatches) -> Result<Settings> {
    let file = matches.get_one::<String>("config");
    let mut settings = match (app.take_settings(), file) {
        (Some(_), Some(_)) => {
            let text = "this program makes its settings itself: `--config` has no effect; leave it out";
            return Err(Error::new(ErrorKind::Usage, text));
        }
        (Some(settings), None) => settings,
        (None, file) => Settings::load_from(file.map(Path::new))?,
    };
    for definition in texts(matches, "define") {
        settings.define(&definition)?;
    }
    if let Some(url) = matches.get_one::<String>("broker") {
        settings.option("amqp_uri", url, "--broker")?;
        app.forget_broker();
    }
    if let Some(level) = matches.get_one::<String>("log") {
        settings.option("log", level, "--log")?;
    }
    app.complete(&mut settings)?;
    Ok(settings)
}

fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.try_get_many::<String>(name).ok().flatten().into_iter().flatten().cloned().collect()
}

/// Writes to standard output. A reader that has gone (`| head`) has what it wanted.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(|error| Error::msg(format!("standard output: {error}"))),
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Arguments that make no sense.
fn misused(error: &clap::Error, app: &App) -> Error {
    let text = error.to_string();
    let mut text = text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned();
    let word = error.get(clap::error::ContextKind::InvalidSubcommand).map(ToString::to_string);
    if let Some(word) = word.filter(|word| app.descriptors().any(|service| service.name == word)) {
        text = format!("`{word}` is a service and no command: write `run {word}`");
    }
    Error::new(ErrorKind::Usage, text)
}

/// Where to look next, for those who see a program for the first time.
fn next_steps(program: &str, app: &App) -> String {
    let call = app
        .descriptors()
        .find_map(|service| service.methods.first().map(|method| example(service, method)))
        .map_or_else(String::new, |call| format!("; `{program} {call}` calls one"));
    format!("`{program} list` shows every entrypoint{call}")
}

/// A call of a method, as it is written in a shell.
fn example(service: &ServiceDescriptor, method: &MethodInfo) -> String {
    let arguments: Vec<_> = method
        .params
        .iter()
        .filter(|param| param.required)
        .map(|param| format!("\"{}\": {}", param.name, example_value(param.ty)))
        .collect();
    let arguments = if arguments.is_empty() { String::new() } else { format!(" '{{{}}}'", arguments.join(", ")) };
    format!("call {}.{}{arguments}", service.name, method.name)
}

fn example_value(ty: &str) -> &'static str {
    match ty {
        "bool" => "true",
        "f32" | "f64" => "1.5",
        _ if ty.starts_with(['u', 'i']) && ty.ends_with(|letter: char| letter.is_ascii_digit()) => "1",
        "usize" | "isize" => "1",
        _ if ty.starts_with("Vec<") || ty.starts_with("&[") => "[]",
        "String" | "&str" => "\"Ada\"",
        _ => "…",
    }
}

#[cfg(test)]
mod tests;
