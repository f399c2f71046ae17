//! TLS below AMQP: rustls with ring, versions 1.2 and 1.3, the broker always verified.

mod files;
mod refusal;

use futures_util::{AsyncRead, AsyncWrite};
use lapin::{AsyncTcpStream, tcp::RustlsConnector};
use rustls::{ClientConfig, pki_types::ServerName};

pub(super) use self::refusal::refusal;
use super::{failure::ConnectFailure, uri::Address};
use crate::{Error, ErrorKind, Result, transport::Tls};

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

fn server_name<'a>(tls: &'a Tls, address: &'a Address) -> &'a str {
    tls.server_name.as_deref().unwrap_or(&address.host)
}

fn config(tls: &Tls, address: &Address) -> Result<ClientConfig, String> {
    files::config(tls).map_err(|text| format!("{address}: {text}"))
}
