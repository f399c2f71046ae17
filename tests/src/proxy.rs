use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Builder,
    sync::watch,
};

/// A network between a broker and its clients that a test can break. It runs on a thread of its own and ends with its drop.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// What clients send.
    ToBroker,
    /// What the broker sends.
    ToClients,
}

#[derive(Debug, Clone, Default)]
struct Network {
    /// Nothing is forwarded; what was sent stays in the buffers, and comes late. No peer hears of it.
    to_broker_held: bool,
    to_clients_held: bool,
    delay: Duration,
    /// Connections that began before the latest cut are closed.
    cuts: usize,
    gone: bool,
}

impl Network {
    fn is_held(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToBroker => self.to_broker_held,
            Direction::ToClients => self.to_clients_held,
        }
    }
}

impl Proxy {
    /// Listens on a free port and forwards to the broker of this URI.
    ///
    /// # Panics
    ///
    /// When the URI has no host and port of the kind that tests use.
    pub fn to(uri: &str) -> Self {
        let broker: SocketAddr = host(uri).parse().expect("an address and a port");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket can be set so");
        let address = listener.local_addr().expect("a bound socket");
        let (network, state) = watch::channel(Network::default());
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(accept(listener, broker, state));
        });
        Self { address, network }
    }

    /// The broker's URI, by way of this proxy.
    pub fn uri(&self, broker_uri: &str) -> String {
        broker_uri.replace(host(broker_uri), &self.address.to_string())
    }

    /// Forwards nothing in this direction any more, and tells nobody: a black hole.
    pub fn hold(&self, direction: Direction) {
        self.network.send_modify(|network| match direction {
            Direction::ToBroker => network.to_broker_held = true,
            Direction::ToClients => network.to_clients_held = true,
        });
    }

    /// Forwards again, beginning with what was held.
    pub fn release(&self) {
        self.network.send_modify(|network| (network.to_broker_held, network.to_clients_held) = (false, false));
    }

    /// Delays each piece of data by so much.
    pub fn delay(&self, delay: Duration) {
        self.network.send_modify(|network| network.delay = delay);
    }

    /// Closes every connection that there is.
    pub fn cut(&self) {
        self.network.send_modify(|network| network.cuts += 1);
    }

    /// Closes every connection that there is, and loses what was held. New ones are forwarded.
    pub fn lose(&self) {
        self.network.send_modify(|network| {
            network.cuts += 1;
            (network.to_broker_held, network.to_clients_held) = (false, false);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.network.send_modify(|network| network.gone = true);
    }
}

/// `amqp://user:password@host:port/vhost` → `host:port`
fn host(uri: &str) -> &str {
    let after_user = uri.rsplit_once('@').expect("a URI with a user").1;
    after_user.split('/').next().unwrap_or(after_user)
}

async fn accept(listener: std::net::TcpListener, broker: SocketAddr, mut network: watch::Receiver<Network>) {
    let listener = TcpListener::from_std(listener).expect("a socket that does not block");
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = network.wait_for(|network| network.gone) => return,
        };
        let Ok((client, _)) = accepted else { continue };
        let network = network.clone();
        tokio::spawn(async move {
            // A broker that is away closes the client's connection at once.
            let Ok(broker) = TcpStream::connect(broker).await else { return };
            let _ = (client.set_nodelay(true), broker.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_broker, to_broker) = broker.into_split();
            let cuts = network.borrow().cuts;
            let mut cut = network.clone();
            tokio::select! {
                () = forward(from_client, to_broker, Direction::ToBroker, network.clone(), cuts) => {}
                () = forward(from_broker, to_client, Direction::ToClients, network, cuts) => {}
                _ = cut.wait_for(|network| network.cuts > cuts || network.gone) => {}
            }
        });
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut network: watch::Receiver<Network>,
    cuts: usize,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if network.wait_for(|network| !network.is_held(direction)).await.is_err() {
            return;
        }
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let Ok(delay) = network.wait_for(|network| !network.is_held(direction)).await.map(|network| network.delay)
        else {
            return;
        };
        // What was held does not slip through a cut that comes with the release.
        if network.borrow().cuts > cuts {
            return;
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
