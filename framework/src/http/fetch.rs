//! Reads what a URL leads to, once: the keys that a token may be signed with. Not a client for anything else: no redirects, no reuse.

use std::fmt::Display;

use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode, Uri, header},
};
use futures_util::{FutureExt, future::BoxFuture};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::{Error, ErrorKind, Result};

/// The body of a GET request, of at most so many bytes. Without an end where the server is silent: the caller has a limit.
pub(crate) fn fetch(url: String, limit: usize) -> BoxFuture<'static, Result<Vec<u8>>> {
    async move {
        let uri: Uri = url.parse().map_err(|_| Error::new(ErrorKind::Config, "it is no URL"))?;
        let host = uri.host().ok_or_else(|| Error::new(ErrorKind::Config, "it names no host"))?.to_owned();
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        // Brackets are the URL's, not the address's.
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((address, port)).await.map_err(lost)?;
        let body = match is_https {
            true => get(tls::shake_hands(stream, address).await?, &uri, limit).await?,
            false => get(stream, &uri, limit).await?,
        };
        Ok(body.to_vec())
    }
    .boxed()
}

async fn get(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, uri: &Uri, limit: usize) -> Result<Bytes> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    // What stands before an `@` is a password.
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .body(Body::empty())
        .map_err(lost)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(lost)?;
        if response.status() != StatusCode::OK {
            let text = format!("it answered {} (redirects are not followed)", response.status());
            return Err(Error::new(ErrorKind::Unavailable, text));
        }
        let body = Limited::new(response.into_body(), limit).collect().await;
        Ok(body
            .map_err(|error| lost(format!("its answer cannot be read, of which {limit} bytes are allowed: {error}")))?
            .to_bytes())
    };
    // The connection is driven here, and ends with the answer: nothing is spawned.
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            ended = &mut connection, if is_open => {
                ended.map_err(lost)?;
                is_open = false;
            }
        }
    }
}

fn lost(error: impl Display) -> Error {
    Error::new(ErrorKind::Unavailable, error.to_string())
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
    use tokio::net::TcpStream;
    use tokio_rustls::{TlsConnector, client::TlsStream};

    use super::lost;
    use crate::Result;

    /// Verified against the system's certificates.
    pub(super) async fn shake_hands(stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        // The provider is named, so that it does not matter what the program installed for others.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(lost)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(lost)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(lost)
    }
}

#[cfg(not(feature = "tls"))]
mod tls {
    use tokio::net::TcpStream;

    use crate::{Error, ErrorKind, Result};

    pub(super) async fn shake_hands(_: TcpStream, _: &str) -> Result<TcpStream> {
        let text = "`https` needs kinoko's feature `tls`: write `kinoko = { …, features = [\"tls\"] }` in Cargo.toml";
        Err(Error::new(ErrorKind::Config, text))
    }
}
