//! Certificates and keys in PEM files: of the broker's side, and of the HTTP server.

use std::{fmt::Display, fs, path::Path};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// A file that a setting names. The errors say which, what is wrong with it and what to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PemFile<'a> {
    /// What it holds, for people: `CA certificates`.
    pub(crate) what: &'a str,
    /// The setting's name, or the option's.
    pub(crate) option: &'a str,
    pub(crate) path: &'a Path,
}

impl PemFile<'_> {
    /// All its certificates, of which there is at least one.
    pub(crate) fn certificates(self) -> Result<Vec<CertificateDer<'static>>, String> {
        let text = self.read()?;
        let certificates = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.unusable(error))?;
        if certificates.is_empty() {
            return Err(self.unusable("it holds no `BEGIN CERTIFICATE`; it has to be PEM"));
        }
        Ok(certificates)
    }

    /// Its first key.
    pub(crate) fn private_key(self) -> Result<PrivateKeyDer<'static>, String> {
        let text = self.read()?;
        let holds = |word: &str| text.windows(word.len()).any(|window| window == word.as_bytes());
        if holds("BEGIN ENCRYPTED PRIVATE KEY") || holds("Proc-Type: 4,ENCRYPTED") {
            return Err(self.unusable(
                "it is encrypted; decrypt it (`openssl pkey -in … -out …`) and let only the program's user read it",
            ));
        }
        // The parser's own errors repeat lines of the file, which are the key.
        PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| self.unusable("it holds no whole `BEGIN PRIVATE KEY`; it has to be PEM"))
    }

    /// That it cannot be used, and why.
    pub(crate) fn unusable(self, reason: impl Display) -> String {
        format!("the file of {} (`{}`), `{}`, cannot be used: {reason}", self.what, self.option, self.path.display())
    }

    fn read(self) -> Result<Vec<u8>, String> {
        fs::read(self.path).map_err(|error| self.unusable(error))
    }
}
