//! Brokers that cannot be trusted, each by a handshake with a real server: the start ends with one message that says what is wrong.

use std::{path::PathBuf, time::Duration};

use kinoko::{
    ErrorKind,
    transport::{Tls, TransportOptions, connect},
};
use kinoko_tests::{Authority, Folder, Issued, TlsServer, eventually, write_pem};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, NameConstraints,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use crate::support::refusal;

/// A client that trusts the CA called `kinoko test CA`.
struct Client {
    folder: Folder,
    ca: Authority,
}

impl Client {
    fn new() -> Self {
        Self { folder: Folder::new(), ca: Authority::new("kinoko test CA") }
    }

    fn options(&self) -> TransportOptions {
        trusting(Some(write_pem(&self.folder, &self.ca.pem)))
    }

    /// Connects to a server that shows this certificate, and returns the refusal.
    async fn refusal_of(&self, shown: &Issued) -> String {
        self.refusal_of_chain(vec![shown.der()], shown).await
    }

    /// The same for one of an intermediate CA, which is shown too.
    async fn refusal_by(&self, intermediate: CertificateParams) -> String {
        let intermediate = self.ca.issue_exactly(intermediate);
        let shown_ca = intermediate.der();
        let shown = intermediate.into_authority().issue(&["localhost"], |_| {});
        self.refusal_of_chain(vec![shown.der(), shown_ca], &shown).await
    }

    async fn refusal_of_chain(&self, chain: Vec<CertificateDer<'static>>, key_of: &Issued) -> String {
        let server = TlsServer::showing(chain, &key_of.key_der());
        refusal_at(&server, "localhost", self.options()).await
    }
}

fn trusting(ca: Option<PathBuf>) -> TransportOptions {
    let mut tls = Tls::default();
    tls.ca = ca;
    TransportOptions { tls: Some(tls), ..TransportOptions::default() }
}

async fn refusal_at(server: &TlsServer, host: &str, options: TransportOptions) -> String {
    let port = server.port();
    let text = refusal(&format!("amqps://guest:s3cret@{host}:{port}/"), options).await;
    let start = format!("amqps://guest@{host}:{port}/%2F: ");
    assert!(text.starts_with(&start) && !text.contains("s3cret"), "{text}");
    assert_eq!(server.told(), 0, "not a word to a broker that is not trusted");
    text[start.len()..].to_owned()
}

fn refused(text: &str, reason: &str, advice: &str) {
    let start = format!("the broker's certificate is refused: {reason}");
    assert!(text.starts_with(&start) && text.contains(advice), "{text}");
}

/// Without it, a client that refuses everything would pass the rest.
#[tokio::test]
async fn a_good_one_is_accepted() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |_| {});
    let server = TlsServer::showing(vec![shown.der()], &shown.key_der());
    let url = format!("amqps://localhost:{}/", server.port());
    let connecting = connect(&url, client.options());
    let spoken_to =
        eventually(Duration::from_secs(20), "AMQP's first words", || async { (server.told() >= 8).then_some(()) });
    tokio::select! {
        () = spoken_to => {}
        ended = connecting => panic!("the server says nothing, and yet: {ended:?}"),
    }
}

#[tokio::test]
async fn expired() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |params| params.not_after = date_time_ymd(2024, 1, 1));
    let text = client.refusal_of(&shown).await;
    refused(&text, "it expired ", "days ago by this machine's clock; renew it");
}

#[tokio::test]
async fn not_yet_valid() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |params| {
        params.not_before = date_time_ymd(2200, 1, 1);
        params.not_after = date_time_ymd(2201, 1, 1);
    });
    let text = client.refusal_of(&shown).await;
    refused(&text, "it is valid in ", "days only, by this machine's clock; is the clock right?");
}

#[tokio::test]
async fn for_another_host() {
    let client = Client::new();
    let shown = client.ca.issue(&["rabbit.example", "*.localhost"], |_| {});
    let text = client.refusal_of(&shown).await;
    refused(&text, "it is not valid for `localhost` but for ", "or set `amqp_tls.server_name`");
    assert!(text.contains("rabbit.example"), "{text}");
}

#[tokio::test]
async fn for_another_ip_address() {
    let client = Client::new();
    let shown = client.ca.issue(&["127.0.0.2", "localhost"], |_| {});
    let server = TlsServer::showing(vec![shown.der()], &shown.key_der());
    let text = refusal_at(&server, "127.0.0.1", client.options()).await;
    refused(&text, "it is not valid for `127.0.0.1` but for ", "connect by one of these names");
}

#[tokio::test]
async fn without_a_name_but_the_common_one() {
    let client = Client::new();
    let shown = client.ca.issue(&[], |params| params.distinguished_name.push(DnType::CommonName, "localhost"));
    let text = client.refusal_of(&shown).await;
    refused(&text, "it names no host at all as a subject alternative name", "issue it with that name");
}

#[tokio::test]
async fn self_signed() {
    let client = Client::new();
    let text = client.refusal_of(&Issued::self_signed(&["localhost"])).await;
    refused(&text, "it was not issued by a CA of the file `ca`", "name the CA that issued it");
}

#[tokio::test]
async fn of_an_unknown_ca() {
    let client = Client::new();
    let shown = Authority::new("another CA").issue(&["localhost"], |_| {});
    let text = client.refusal_of(&shown).await;
    refused(&text, "it was not issued by a CA of the file `ca`", "name the CA that issued it");
}

#[tokio::test]
async fn of_a_ca_that_the_system_does_not_know() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |_| {});
    let server = TlsServer::showing(vec![shown.der()], &shown.key_der());
    let error = connect(&format!("amqps://localhost:{}", server.port()), trusting(None)).await.unwrap_err();
    // A machine without any CA is told so instead, before it connects.
    match error.kind() {
        ErrorKind::Config => assert!(error.to_string().contains("this system has no CA certificates"), "{error}"),
        _ => assert!(
            error.to_string().contains("a CA that this system trusts; name the CA that issued it as `amqp_tls.ca`"),
            "{error}"
        ),
    }
    assert_eq!(server.told(), 0);
}

#[tokio::test]
async fn of_another_ca_with_the_name_of_ours() {
    let client = Client::new();
    let shown = Authority::new("kinoko test CA").issue(&["localhost"], |_| {});
    let text = client.refusal_of(&shown).await;
    refused(&text, "its signature does not fit the key of its issuer", "it may be somebody else's");
}

#[tokio::test]
async fn issued_by_one_that_is_no_ca() {
    let client = Client::new();
    let leaf = client.ca.issue(&["leaf.example"], |params| params.distinguished_name.push(DnType::CommonName, "leaf"));
    let shown_leaf = leaf.der();
    let shown = leaf.into_authority().issue(&["localhost"], |_| {});
    let text = client.refusal_of_chain(vec![shown.der(), shown_leaf], &shown).await;
    refused(&text, "one of its issuers is no CA", "have it issued by a CA");
}

#[tokio::test]
async fn of_a_ca_itself() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let text = client.refusal_of(&shown).await;
    refused(&text, "it is the certificate of a CA", "issue one for the broker with it");
}

#[tokio::test]
async fn meant_for_clients_only() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let text = client.refusal_of(&shown).await;
    refused(&text, "it is not meant for servers", "issue it with the extended key usage serverAuth");
}

#[tokio::test]
async fn outside_of_its_cas_name_constraints() {
    let client = Client::new();
    let mut params = Authority::params("constrained CA");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.com".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let text = client.refusal_by(params).await;
    refused(&text, "its CA may not issue for this name", "name constraints");
}

#[tokio::test]
async fn of_an_intermediate_ca_that_has_expired() {
    let client = Client::new();
    let mut params = Authority::params("old intermediate CA");
    params.not_after = date_time_ymd(2024, 1, 1);
    let text = client.refusal_by(params).await;
    refused(&text, "it expired ", "renew it");
}

#[tokio::test]
async fn without_its_intermediate_ca() {
    let client = Client::new();
    let intermediate = client.ca.issue_exactly(Authority::params("intermediate CA")).into_authority();
    let shown = intermediate.issue(&["localhost"], |_| {});
    let text = client.refusal_of(&shown).await;
    refused(&text, "it was not issued by a CA of the file `ca`", "let the broker send the whole chain");
}

#[tokio::test]
async fn whose_key_somebody_else_has() {
    let client = Client::new();
    let (shown, other) = (client.ca.issue(&["localhost"], |_| {}), client.ca.issue(&["localhost"], |_| {}));
    let text = client.refusal_of_chain(vec![shown.der()], &other).await;
    refused(
        &text,
        "its signature does not fit the key of its issuer, or the broker has not the key",
        "it may be somebody else's",
    );
}

#[tokio::test]
async fn signed_in_a_way_that_is_not_accepted() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |_| {});
    // ecdsa-with-SHA256 becomes ecdsa-with-SHA224, in both places.
    let (sha256, sha224) = ([0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1]);
    let mut bytes = shown.der().to_vec();
    let places: Vec<_> = (0..bytes.len() - 8).filter(|at| bytes[*at..].starts_with(&sha256)).collect();
    assert_eq!(places.len(), 2);
    places.into_iter().for_each(|at| bytes[at..at + 8].copy_from_slice(&sha224));
    let text = client.refusal_of_chain(vec![bytes.into()], &shown).await;
    refused(&text, "it is signed in a way that is not safe any more, or not known", "issue it with ECDSA");
}

#[tokio::test]
async fn that_is_no_certificate() {
    let client = Client::new();
    let shown = client.ca.issue(&["localhost"], |_| {});
    let text = client.refusal_of_chain(vec![b"nonsense".to_vec().into()], &shown).await;
    refused(&text, "it cannot be read", "issue it anew");
}

#[tokio::test]
async fn of_a_broker_without_tls() {
    // What RabbitMQ answers to anything but AMQP.
    let server = TlsServer::saying(b"AMQP\x00\x00\x09\x01");
    let text = refusal_at(&server, "localhost", Client::new().options()).await;
    assert!(text.contains("does not speak TLS: write the broker's TLS port (most often 5671)"), "{text}");
}

#[tokio::test]
async fn of_a_broker_with_old_tls_only() {
    for (name, answer) in [("an alert", ALERT_PROTOCOL_VERSION), ("a ServerHello of TLS 1.0", SERVER_HELLO_TLS_1_0)] {
        let text = refusal_at(&TlsServer::saying(answer), "localhost", Client::new().options()).await;
        assert!(text.contains("no TLS version that is safe: let it speak 1.2 or 1.3"), "{name}: {text}");
    }
}

const ALERT_PROTOCOL_VERSION: &[u8] = &[21, 3, 1, 0, 2, 2, 70];

/// Record: handshake, TLS 1.0, 42 bytes; ServerHello of 38 bytes: TLS 1.0, 32 bytes at random, no session, AES128-SHA, no compression.
const SERVER_HELLO_TLS_1_0: &[u8] = &[
    22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 0x2f, 0,
];
