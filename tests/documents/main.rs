//! The documents of a program and its docs page, looked at from outside: by validators, a browser, and requests made from the document.

mod broken;
mod library;
mod live;
mod operations;
mod page;
mod policies;
mod schemathesis;
mod snapshot;
mod validity;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use kinoko::{App, RunningApp, Settings, service::Service};

/// A program of one service that listens on a port of its own.
/// What tokens are signed with.
const SECRET: &str = "the secret of the documents' tests";

async fn served<S: Service>(mode: &str) -> (RunningApp, String) {
    let mut settings = Settings::default();
    if S::DESCRIPTOR.access.has_jwt {
        settings.set("jwt.secret", SECRET);
    }
    settings.set("http.address", "127.0.0.1:0");
    settings.set("mode", mode);
    let app = App::new().service::<S>().version("1.2.3").settings(settings).start().await.unwrap();
    let address = format!("http://{}", app.http_address().unwrap());
    (app, address)
}

fn library() -> App {
    App::new().service::<library::Library>().version("1.2.3")
}

/// The Python of the venv that `./test.sh` makes for HTTP.
fn python() -> Command {
    let python = std::env::var_os("KINOKO_TEST_PYTHON_HTTP").expect("tests that need it are ignored without");
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

fn script(name: &str) -> PathBuf {
    here().join("python").join(name)
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program while services answer it.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("Python runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Beside the folder of the profile, where this program was built.
fn artifacts() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().nth(3).expect("target/debug/deps/documents").join("artifacts")
}
