use std::{fmt::Display, fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tracing::debug;

use crate::transport::Tls;

/// What rustls connects with. The errors say which file, what is wrong with it and what to do.
pub(super) fn config(tls: &Tls) -> Result<ClientConfig, String> {
    let roots = match &tls.ca {
        Some(file) => own_roots(file)?,
        None => system_roots()?,
    };
    // The provider is named, so that it does not matter what the program installed for others.
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    match (&tls.cert, &tls.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (None, Some(key)) => Err(format!(
            "there is a key for the client (`key`, `{}`), but no certificate: name it as `cert`",
            key.display()
        )),
        (Some(cert), key) => {
            let chain = certificates("cert", cert)?;
            let key = key.as_ref().unwrap_or(cert);
            builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => format!(
                    "the client's key `{}` does not belong to the certificate `{}`: name the pair that was issued together",
                    key.display(),
                    cert.display()
                ),
                error => format!("the client's certificate `{}` cannot be used: {error}", cert.display()),
            })
        }
    }
}

fn own_roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca", file)? {
        roots.add(certificate).map_err(|error| unreadable("ca", file, error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A store of hundreds may hold some that nobody can read.
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    debug!(added, ignored, errors = ?found.errors, "read the system's CA certificates");
    if added == 0 {
        let reason = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(format!(
            "this system has no CA certificates to verify the broker with{reason}: \
             install them (Debian: `ca-certificates`), or name the broker's CA as `ca`"
        ));
    }
    Ok(roots)
}

fn certificates(option: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(option, file)?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(option, file, error))?;
    if certificates.is_empty() {
        return Err(unreadable(option, file, "it holds no `BEGIN CERTIFICATE`; it has to be PEM"));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read("key", file)?;
    let holds = |word: &str| text.windows(word.len()).any(|window| window == word.as_bytes());
    if holds("BEGIN ENCRYPTED PRIVATE KEY") || holds("Proc-Type: 4,ENCRYPTED") {
        return Err(unreadable(
            "key",
            file,
            "it is encrypted; decrypt it (`openssl pkey -in … -out …`) and let only the program's user read it",
        ));
    }
    // The parser's own errors repeat lines of the file, which are the key.
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| unreadable("key", file, "it holds no whole `BEGIN PRIVATE KEY`; it has to be PEM"))
}

fn read(option: &str, file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| unreadable(option, file, error))
}

fn unreadable(option: &str, file: &Path, reason: impl Display) -> String {
    let what = match option {
        "ca" => "CA certificates",
        "cert" => "the client's certificate",
        _ => "the client's key",
    };
    format!("the file of {what} (`{option}`), `{}`, cannot be used: {reason}", file.display())
}
