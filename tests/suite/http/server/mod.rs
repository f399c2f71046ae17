//! The HTTP server: what it serves, what it holds off, how it starts and stops. Over sockets, and mostly by hand: a client library
//! would hide what is asked for here.

mod beside;
mod client;
mod files;
mod lifecycle;
mod limits;
mod live;
mod mounts;
mod ops;
mod policies;
mod routes;
mod sockets;
mod tls;

use kinoko::{RunningApp, prelude::*};

#[derive(Dependencies)]
struct Plain;

/// A program needs a service; what these tests ask for is mounted beside it.
#[service(name = "http_plain")]
impl Plain {
    #[rpc]
    fn nothing(&self) {}
}

/// An app with these settings, on any port.
fn app(yaml: &str) -> App {
    let mut settings = Settings::from_yaml(yaml).unwrap();
    settings.set("http.address", "127.0.0.1:0");
    App::new().service::<Plain>().settings(settings)
}

async fn start(app: App) -> RunningApp {
    app.start().await.unwrap()
}
