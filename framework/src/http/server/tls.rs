//! TLS of the HTTP server, by the settings `http.tls.certificate` and `http.tls.key`.

#[cfg(feature = "tls")]
pub(in crate::http) use self::with_rustls::Tls;
#[cfg(not(feature = "tls"))]
pub(in crate::http) use self::without::Tls;

use std::path::PathBuf;

use crate::{Result, config::Settings};

const CERTIFICATE: &str = "http.tls.certificate";
const KEY: &str = "http.tls.key";

/// The files that the settings name.
#[derive(Debug, Clone)]
pub(in crate::http) struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl TlsFiles {
    /// `None` where no certificate is named: then the server speaks plain HTTP.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>> {
        let certificate = settings.get::<PathBuf>("http.tls.certificate")?;
        let key = settings.get::<PathBuf>("http.tls.key")?;
        // A variable that is empty names nothing.
        let named = |path: &PathBuf| !path.as_os_str().is_empty();
        match (certificate.filter(named), key.filter(named)) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(settings
                    .refuse(KEY, format!("there is a key, but no certificate: name its file as `{CERTIFICATE}`")))
            }
            // As AMQP's: both may be in one file.
            (Some(certificate), key) => Ok(Some(Self { key: key.unwrap_or_else(|| certificate.clone()), certificate })),
        }
    }
}

#[cfg(feature = "tls")]
mod with_rustls {
    use std::{
        io,
        sync::{Arc, Mutex, PoisonError},
        time::{Duration, SystemTime},
    };

    use rustls::{ServerConfig, crypto::ring};
    use tokio::{net::TcpStream, time::Instant};
    use tokio_rustls::{TlsAcceptor, server::TlsStream};

    use super::{CERTIFICATE, KEY, TlsFiles};
    use crate::{Error, ErrorKind, Result, transport::pem::PemFile};

    /// How often the files are looked at, to see whether the certificate was renewed.
    const LOOK_INTERVAL: Duration = Duration::from_secs(30);

    /// What shakes hands, with the certificate that the files have now.
    #[derive(Clone)]
    pub(in crate::http) struct Tls(Arc<Shared>);

    struct Shared {
        files: TlsFiles,
        loaded: Mutex<Loaded>,
    }

    struct Loaded {
        acceptor: TlsAcceptor,
        written: Option<[SystemTime; 2]>,
        looked: Instant,
    }

    impl Tls {
        /// # Errors
        ///
        /// [`ErrorKind::Config`] for files that are missing or no pair of a certificate and its key.
        pub(in crate::http) fn load(files: &TlsFiles) -> Result<Self> {
            let written = files.written();
            let acceptor = files.acceptor().map_err(|text| Error::new(ErrorKind::Config, text))?;
            let loaded = Mutex::new(Loaded { acceptor, written, looked: Instant::now() });
            Ok(Self(Arc::new(Shared { files: files.clone(), loaded })))
        }

        pub(in crate::http::server) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
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
                    tracing::info!("the HTTP server's certificate was read anew");
                }
                // Perhaps one of two files is written so far. The old one goes on, and the next look tries again.
                Err(text) => tracing::warn!("the HTTP server keeps the certificate that it has: {text}"),
            }
        }
    }

    impl TlsFiles {
        fn acceptor(&self) -> Result<TlsAcceptor, String> {
            let certificate =
                PemFile { what: "the server's certificate", option: CERTIFICATE, path: &self.certificate };
            let key = PemFile { what: "the server's key", option: KEY, path: &self.key };
            let (chain, private_key) = (certificate.certificates()?, key.private_key()?);
            // The provider is named, so that it does not matter what the program installed for others.
            let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?;
            let mut config =
                builder.with_no_client_auth().with_single_cert(chain, private_key).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => format!(
                        "the server's key `{}` (`{KEY}`) does not belong to the certificate `{}` (`{CERTIFICATE}`): \
                         name the pair that was issued together",
                        self.key.display(),
                        self.certificate.display()
                    ),
                    error => certificate.unusable(error),
                })?;
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            Ok(TlsAcceptor::from(Arc::new(config)))
        }

        /// When the files were written last.
        fn written(&self) -> Option<[SystemTime; 2]> {
            let written = |path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
            Some([written(&self.certificate)?, written(&self.key)?])
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

    use super::{CERTIFICATE, KEY, TlsFiles};
    use crate::{Error, ErrorKind, Result};

    /// No program without the feature has one.
    #[derive(Debug, Clone)]
    pub(in crate::http) struct Tls(Infallible);

    impl Tls {
        /// # Errors
        ///
        /// [`ErrorKind::Config`], always.
        pub(in crate::http) fn load(files: &TlsFiles) -> Result<Self> {
            let text = format!(
                "this program speaks no TLS: build it with kinoko's feature `tls` for `{CERTIFICATE}` (`{}`) and `{KEY}` (`{}`), \
                 or leave them out",
                files.certificate.display(),
                files.key.display()
            );
            Err(Error::new(ErrorKind::Config, text))
        }

        pub(in crate::http::server) async fn accept(&self, _: TcpStream) -> io::Result<TcpStream> {
            match self.0 {}
        }
    }
}
