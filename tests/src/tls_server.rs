use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::{CertifiedKey, SingleCertAndKey},
};

/// Listens like a broker with TLS, shakes hands, and says nothing after that.
///
/// Its threads end with their connections, the one that listens with the process.
#[derive(Debug)]
pub struct TlsServer {
    port: u16,
    told: Arc<AtomicUsize>,
}

impl TlsServer {
    /// Shows this chain, whether or not the key belongs to it.
    pub fn showing(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'static>) -> Self {
        let provider = ring::default_provider();
        let key = provider.key_provider.load_private_key(key.clone_key()).expect("a key that ring can use");
        let resolver = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .expect("ring speaks them")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        let config = Arc::new(config);
        Self::answering(move |stream, told| {
            let mut tls = ServerConnection::new(config.clone()).expect("a configuration that was just made");
            let mut stream = rustls::Stream::new(&mut tls, stream);
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                told.fetch_add(count, Ordering::Relaxed);
            }
        })
    }

    /// Answers the first bytes with these, then closes.
    pub fn saying(answer: &'static [u8]) -> Self {
        Self::answering(move |stream, _| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        })
    }

    /// Accepts, and is silent for as long as the client waits.
    pub fn silent() -> Self {
        Self::answering(|stream, _| while let Ok(1..) = stream.read(&mut [0; 4096]) {})
    }

    fn answering(answer: impl Fn(&mut TcpStream, &AtomicUsize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let told = Arc::<AtomicUsize>::default();
        let counter = told.clone();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (answer, counter) = (answer.clone(), counter.clone());
                thread::spawn(move || answer(&mut stream, &counter));
            }
        });
        Self { port, told }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many bytes clients told it under the protection of TLS.
    pub fn told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }
}
