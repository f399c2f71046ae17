//! TLS, and HTTP/2 with and without it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kinoko::{
    ErrorKind,
    http::axum::{Router, extract::Request as Incoming, routing::get},
};
use kinoko_tests::{Authority, Folder, soon, write_pem};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{app, client::Wire, start};

fn version() -> Router {
    Router::new().route("/", get(|request: Incoming| async move { format!("{:?}", request.version()) }))
}

struct Files {
    folder: Folder,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        Self { folder: Folder::new(), authority: Authority::new("kinoko test CA") }
    }

    /// Settings with a certificate for 127.0.0.1.
    fn settings(&self) -> String {
        let (certificate, key) = self.authority.issue(&["127.0.0.1"], |_| {}).write(&self.folder);
        format!("certificate: {}, key: {}", certificate.display(), key.display())
    }

    async fn connect(&self, address: SocketAddr, protocols: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::from(address.ip());
        soon("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
    }
}

async fn get_by_http2(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
) -> (u16, String) {
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("http://kinoko/").body(Empty::<Bytes>::new()).unwrap();
    let response = soon("an answer", sender.send_request(request)).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    drop(sender);
    soon("the end of the connection", connection).await.unwrap().unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn both_versions_are_spoken_over_tls_as_the_caller_wants() {
    let files = Files::new();
    let app = start(app(&format!("http: {{tls: {{{}}}}}", files.settings())).mount("/", version())).await;
    let address = app.http_address().unwrap();
    for (offered, chosen) in [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)] {
        let stream = files.connect(address, offered).await;
        let alpn = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap());
        assert_eq!(alpn.as_deref(), chosen);
        let text = match chosen {
            Some("h2") => get_by_http2(stream).await.1,
            _ => Wire::over(stream).get("/").await.text(),
        };
        assert_eq!(text, if chosen == Some("h2") { "HTTP/2.0" } else { "HTTP/1.1" });
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_off() {
    let files = Files::new();
    let yaml = format!("http: {{header_timeout: 150ms, tls: {{{}}}}}", files.settings());
    let app = start(app(&yaml).mount("/", version())).await;
    let mut silent = Wire::to(app.http_address().unwrap()).await;
    // The first bytes of a ClientHello.
    silent.send([0x16, 0x03, 0x01]).await;
    assert_eq!(silent.closed().await, 0);
    // Who speaks without TLS is told so by the end of the connection.
    let mut plain = Wire::to(app.http_address().unwrap()).await;
    plain.send("GET / HTTP/1.1\r\nhost: kinoko\r\n\r\n").await;
    plain.closed().await;
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_over() {
    let files = Files::new();
    let (certificate, key) = files.authority.issue(&["127.0.0.1"], |_| {}).write(&files.folder);
    let yaml = format!("http: {{tls: {{certificate: {}, key: {}}}}}", certificate.display(), key.display());
    let app = start(app(&yaml).mount("/", version())).await;
    let address = app.http_address().unwrap();
    let shown = || async {
        let stream = files.connect(address, &[]).await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let old = shown().await;
    let renewed = files.authority.issue(&["127.0.0.1"], |_| {});
    std::fs::write(&certificate, &renewed.pem).unwrap();
    let later = || async {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        tokio::time::resume();
    };
    // So far the two do not belong together, and the old pair goes on.
    later().await;
    assert_eq!(shown().await, old);
    std::fs::write(&key, &renewed.key).unwrap();
    later().await;
    assert_eq!(shown().await, renewed.der());
    app.stop().await.unwrap();
}

#[tokio::test]
async fn certificates_that_cannot_be_used_end_the_start() {
    let files = Files::new();
    let pem = |text: &str| write_pem(&files.folder, text).display().to_string();
    let (one, other) = (files.authority.issue(&["a"], |_| {}), files.authority.issue(&["a"], |_| {}));
    let (certificate, key, other_key) = (pem(&one.pem), pem(&one.key), pem(&other.key));
    for (tls, expected) in [
        (
            "certificate: /nowhere/a.pem".to_owned(),
            "the file of the server's certificate (`http.tls.certificate`), `/nowhere/a.pem`, cannot be used: No such file",
        ),
        (format!("certificate: {key}"), "it holds no `BEGIN CERTIFICATE`; it has to be PEM"),
        (format!("certificate: {certificate}"), "the file of the server's key (`http.tls.key`)"),
        (format!("certificate: {certificate}, key: {other_key}"), "does not belong to the certificate"),
    ] {
        let error = app(&format!("http: {{tls: {{{tls}}}}}")).mount("/", version()).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(expected), "{tls}: {error}");
    }
}

#[tokio::test]
async fn http2_is_spoken_without_tls_to_who_begins_with_it_and_ends_gracefully() {
    let app = start(app("{}").mount("/", version())).await;
    let address = app.http_address().unwrap();
    assert_eq!(get_by_http2(TcpStream::connect(address).await.unwrap()).await, (200, "HTTP/2.0".into()));

    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = || Request::get("http://kinoko/").body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(sender.send_request(request()).await.unwrap().status(), 200);
    // A caller that could go on is told to go away, and no request is lost by it.
    soon("the stop", app.stop()).await.unwrap();
    soon("GOAWAY", connection).await.unwrap().unwrap();
    assert!(sender.send_request(request()).await.is_err());
}

#[tokio::test]
async fn large_heads_are_refused_over_http2_as_well() {
    let app = start(app("http: {max_header_bytes: 8192}").mount("/", version())).await;
    let stream = TokioIo::new(TcpStream::connect(app.http_address().unwrap()).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request =
        Request::get("http://kinoko/").header("x-large", "x".repeat(12_000)).body(Empty::<Bytes>::new()).unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(5), sender.send_request(request)).await.unwrap();
    assert!(answered.as_ref().map_or(true, |response| response.status() == 431), "{answered:?}");
    drop(sender);
    connection.abort();
    app.stop().await.unwrap();
}
