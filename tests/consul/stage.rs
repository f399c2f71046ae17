//! What the tests have in common: a service with an HTTP port, and a caller.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use kinoko::{
    App, Error, RunningApp, Settings,
    discovery::{Instances, Protocol, Target},
    prelude::*,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Something that a service needs, and that a test breaks.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(crate) fn broken(&self, is_broken: bool) {
        self.0.store(is_broken, Ordering::Relaxed);
    }
}

impl Dependency for Switch {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }

    fn unready(&self) -> Option<String> {
        self.0.load(Ordering::Relaxed).then(|| "the shelf is locked".to_owned())
    }
}

#[derive(Dependencies)]
pub(crate) struct Shelf {
    switch: Switch,
}

#[service(name = "shelf")]
impl Shelf {
    #[http(GET, "/left")]
    fn left(&self) -> u32 {
        7
    }

    #[rpc]
    fn lock(&self, is_locked: bool) {
        self.switch.broken(is_locked);
    }
}

/// Settings of a program with an HTTP port of its own that knows this agent.
pub(crate) fn settings(agent: &str, more: &str) -> Settings {
    let yaml = format!(
        "http: {{address: '127.0.0.1:0'}}\nops: {{address: '127.0.0.1:0'}}\n\
         consul:\n  address: '{agent}'\n  check_interval: 2s\n{more}"
    );
    Settings::from_yaml(&yaml).expect("settings")
}

/// Starts the service.
pub(crate) async fn start(settings: Settings) -> RunningApp {
    App::new().version("1.2.3").settings(settings).service::<Shelf>().start().await.expect("it starts")
}

/// Where the instances of a service are, for a caller with these settings.
pub(crate) fn caller(settings: &Settings, service: &str) -> Instances {
    Instances::from_settings(settings, Target::new(service, Protocol::Http)).expect("Consul is named")
}

/// The body of an answer.
pub(crate) async fn ask(address: &str) -> kinoko::Result<String> {
    let address: SocketAddr = address.parse()?;
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /left HTTP/1.1\r\nHost: stock\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(Error::msg(format!("no answer: {answer:?}"))),
    }
}
