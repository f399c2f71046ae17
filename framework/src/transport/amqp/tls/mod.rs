//! TLS below AMQP: rustls with ring, versions 1.2 and 1.3, the broker always verified.

mod files;
mod refusal;

use std::time::Duration;

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite};
use lapin::{AsyncTcpStream, tcp::RustlsConnector};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::lookup_host, time};

pub(super) use self::refusal::refusal;
use super::{failure::ConnectFailure, uri::Address};
use crate::{Error, ErrorKind, Result, transport::Tls};

/// How long a broker's refusal may take to come. One that has nothing against us says nothing.
const WORD_LIMIT: Duration = Duration::from_secs(1);

/// Whether the files can be read and the host can be verified.
///
/// # Errors
///
/// [`ErrorKind::Config`], with what is wrong and where.
pub(super) fn check(tls: &Tls, address: &Address) -> Result<()> {
    let name = server_name(tls, address);
    if ServerName::try_from(name).is_err() {
        let text = format!(
            "{address}: no certificate can be valid for `{name}`, which is neither a host name nor an IP address: \
             set `amqp_tls.server_name` to a name in the broker's certificate"
        );
        return Err(Error::new(ErrorKind::Config, text));
    }
    config(tls, address).map(drop).map_err(|text| Error::new(ErrorKind::Config, text))
}

/// Shakes hands over a connection that was just made. Without an end where the peer is silent: the caller has a limit.
pub(super) async fn handshake<S>(
    stream: AsyncTcpStream<S>,
    tls: &Tls,
    address: &Address,
) -> Result<AsyncTcpStream<S>, ConnectFailure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // Read anew for each connection: certificates are renewed while the program runs. A few files, at a time when nothing else can go on.
    let config = config(tls, address).map_err(ConnectFailure::Unavailable)?;
    let connector = RustlsConnector::from(config);
    let shaken = stream.into_rustls(&connector, server_name(tls, address)).await;
    shaken.map_err(|error| ConnectFailure::from_io(&error, address))
}

/// What the broker says to who is silent after the handshake, for one that cut a connection there.
///
/// With TLS 1.3 a broker looks at the client's certificate when the handshake is over for the client. Its refusal crosses AMQP's first
/// words, which it answers with a reset, and that takes the refusal away before it is read.
pub(super) async fn why_cut(tls: &Tls, address: &Address) -> Option<ConnectFailure> {
    let runtime = lapin::runtime::default_runtime().ok()?;
    let addresses = lookup_host((&*address.host, address.port)).await.ok()?.collect::<Vec<_>>();
    let stream = AsyncTcpStream::connect(&runtime, addresses).await.ok()?;
    match handshake(stream, tls, address).await {
        Ok(mut stream) => {
            let word = time::timeout(WORD_LIMIT, stream.read(&mut [0])).await.ok()?;
            refusal(&word.err()?, address).map(ConnectFailure::Refused)
        }
        Err(failure) => Some(failure),
    }
}

fn server_name<'a>(tls: &'a Tls, address: &'a Address) -> &'a str {
    tls.server_name.as_deref().unwrap_or(&address.host)
}

fn config(tls: &Tls, address: &Address) -> Result<ClientConfig, String> {
    files::config(tls).map_err(|text| format!("{address}: {text}"))
}
