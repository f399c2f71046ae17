//! TLS of a server, by files that settings name: the certificate, its key, and who has to vouch for callers.

#[cfg(feature = "tls")]
pub(crate) use self::with_rustls::Tls;
#[cfg(not(feature = "tls"))]
pub(crate) use self::without::Tls;

use std::path::PathBuf;

use crate::{Result, config::Settings};

/// What the settings of [`TlsFiles`] are called.
#[derive(Debug)]
pub(crate) struct TlsKeys {
    pub(crate) certificate: &'static str,
    pub(crate) key: &'static str,
    pub(crate) client_ca: &'static str,
}

/// The files that the settings name.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    keys: &'static TlsKeys,
    certificate: PathBuf,
    key: PathBuf,
    /// Callers show a certificate that one of these issued.
    client_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// `None` where no certificate is named: then the server speaks without TLS.
    pub(crate) fn read(settings: &Settings, keys: &'static TlsKeys) -> Result<Option<Self>> {
        // A variable that is empty names nothing.
        let named = |path: &PathBuf| !path.as_os_str().is_empty();
        let file = |key| Ok::<_, crate::Error>(settings.get::<PathBuf>(key)?.filter(named));
        let (key, client_ca) = (file(keys.key)?, file(keys.client_ca)?);
        let Some(certificate) = file(keys.certificate)? else {
            let alone = [(&key, keys.key, "there is a key"), (&client_ca, keys.client_ca, "callers are to show one")];
            let alone = alone.into_iter().find(|(file, ..)| file.is_some());
            return alone.map_or(Ok(None), |(_, option, what)| {
                let name = keys.certificate;
                Err(settings.refuse(option, format!("{what}, but no certificate: name its file as `{name}`")))
            });
        };
        // As AMQP's: both may be in one file.
        Ok(Some(Self { keys, key: key.unwrap_or_else(|| certificate.clone()), certificate, client_ca }))
    }
}

#[cfg(feature = "tls")]
mod with_rustls {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
        time::{Duration, SystemTime},
    };

    use rustls::{RootCertStore, ServerConfig, crypto::ring, server::WebPkiClientVerifier};
    use tokio::{net::TcpStream, time::Instant};
    use tokio_rustls::{TlsAcceptor, server::TlsStream};

    use super::TlsFiles;
    use crate::{Error, ErrorKind, Result, transport::pem::PemFile};

    /// How often the files are looked at, to see whether the certificate was renewed.
    const LOOK_INTERVAL: Duration = Duration::from_secs(30);

    /// What shakes hands, with the certificate that the files have now.
    #[derive(Clone)]
    pub(crate) struct Tls(Arc<Shared>);

    struct Shared {
        files: TlsFiles,
        loaded: Mutex<Loaded>,
    }

    struct Loaded {
        acceptor: TlsAcceptor,
        written: Option<Vec<SystemTime>>,
        looked: Instant,
    }

    impl Tls {
        /// # Errors
        ///
        /// [`ErrorKind::Config`] for files that are missing or no pair of a certificate and its key.
        pub(crate) fn load(files: &TlsFiles) -> Result<Self> {
            let written = files.written();
            let acceptor = files.acceptor().map_err(|text| Error::new(ErrorKind::Config, text))?;
            let loaded = Mutex::new(Loaded { acceptor, written, looked: Instant::now() });
            Ok(Self(Arc::new(Shared { files: files.clone(), loaded })))
        }

        pub(in crate::server) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
            self.acceptor().accept(stream).await
        }

        fn acceptor(&self) -> TlsAcceptor {
            let mut loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            if loaded.looked.elapsed() >= LOOK_INTERVAL {
                loaded.look(&self.0.files);
            }
            loaded.acceptor.clone()
        }
    }

    impl Loaded {
        /// Takes a renewed certificate over. Two small files, twice a minute: not worth a thread of its own.
        fn look(&mut self, files: &TlsFiles) {
            self.looked = Instant::now();
            let written = files.written();
            if written == self.written {
                return;
            }
            match files.acceptor() {
                Ok(acceptor) => {
                    (self.acceptor, self.written) = (acceptor, written);
                    tracing::info!(file = %files.certificate.display(), "the server's certificate was read anew");
                }
                // Perhaps one of two files is written so far. The old one goes on, and the next look tries again.
                Err(text) => tracing::warn!("the server keeps the certificate that it has: {text}"),
            }
        }
    }

    impl TlsFiles {
        fn acceptor(&self) -> Result<TlsAcceptor, String> {
            let keys = self.keys;
            let certificate =
                PemFile { what: "the server's certificate", option: keys.certificate, path: &self.certificate };
            let key = PemFile { what: "the server's key", option: keys.key, path: &self.key };
            let (chain, private_key) = (certificate.certificates()?, key.private_key()?);
            // The provider is named, so that it does not matter what the program installed for others.
            let provider = Arc::new(ring::default_provider());
            let builder = ServerConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?;
            let builder = match &self.client_ca {
                None => builder.with_no_client_auth(),
                Some(path) => {
                    let issuers = PemFile { what: "the callers' CA certificates", option: keys.client_ca, path };
                    let mut roots = RootCertStore::empty();
                    for certificate in issuers.certificates()? {
                        roots.add(certificate).map_err(|error| issuers.unusable(error))?;
                    }
                    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                    builder.with_client_cert_verifier(verifier.map_err(|error| issuers.unusable(error))?)
                }
            };
            let mut config = builder.with_single_cert(chain, private_key).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => format!(
                    "the server's key `{}` (`{}`) does not belong to the certificate `{}` (`{}`): \
                     name the pair that was issued together",
                    self.key.display(),
                    keys.key,
                    self.certificate.display(),
                    keys.certificate
                ),
                error => certificate.unusable(error),
            })?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok(TlsAcceptor::from(Arc::new(config)))
        }

        /// When the files were written last.
        fn written(&self) -> Option<Vec<SystemTime>> {
            let files = [&self.certificate, &self.key].into_iter().chain(&self.client_ca);
            files.map(|path| std::fs::metadata(path).and_then(|about| about.modified()).ok()).collect()
        }
    }

    impl std::fmt::Debug for Tls {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_tuple("Tls").field(&self.0.files).finish()
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use std::{convert::Infallible, io};

    use tokio::net::TcpStream;

    use super::TlsFiles;
    use crate::{Error, ErrorKind, Result};

    /// No program without the feature has one.
    #[derive(Debug, Clone)]
    pub(crate) struct Tls(Infallible);

    impl Tls {
        /// # Errors
        ///
        /// [`ErrorKind::Config`], always.
        pub(crate) fn load(files: &TlsFiles) -> Result<Self> {
            let TlsFiles { keys, certificate, key, client_ca } = files;
            let named =
                [(keys.certificate, Some(certificate)), (keys.key, Some(key)), (keys.client_ca, client_ca.as_ref())];
            let named = named.into_iter().filter_map(|(name, file)| Some(format!("`{name}` (`{}`)", file?.display())));
            let named = named.collect::<Vec<_>>().join(" and ");
            let text = format!(
                "this program speaks no TLS: build it with kinoko's feature `tls` for {named}, or leave them out"
            );
            Err(Error::new(ErrorKind::Config, text))
        }

        pub(in crate::server) async fn accept(&self, _: TcpStream) -> io::Result<TcpStream> {
            match self.0 {}
        }
    }
}
