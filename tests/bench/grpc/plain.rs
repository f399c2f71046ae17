//! Plain tonic, as its documentation has it.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

use crate::Failed;

mod proto {
    #![allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub, reason = "tonic wrote it")]
    include!(concat!(env!("OUT_DIR"), "/tonic/kinoko.bench.v1.rs"));
}

use self::proto::{
    Words,
    echo_client::EchoClient,
    echo_server::{Echo, EchoServer},
};

struct Echoes;

#[tonic::async_trait]
impl Echo for Echoes {
    async fn say(&self, request: Request<Words>) -> Result<Response<Words>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

pub(super) type Client = EchoClient<Channel>;

pub(super) async fn start() -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(Server::builder().add_service(EchoServer::new(Echoes)).serve_with_incoming(incoming));
    Ok(address)
}

pub(super) async fn connect(address: &str) -> Result<Client, Failed> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?;
    Ok(EchoClient::new(channel))
}

pub(super) async fn call(mut client: Client, words: Vec<u8>) -> Result<(), Failed> {
    // As kinoko tells its service how long it waits.
    let mut request = Request::new(Words { words });
    request.set_timeout(std::time::Duration::from_secs(30));
    client.say(request).await?;
    Ok(())
}
