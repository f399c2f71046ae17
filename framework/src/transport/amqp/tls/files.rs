use std::{path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tracing::debug;

use crate::transport::{Tls, pem::PemFile};

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
        (Some(cert_file), key_file) => {
            let chain = cert(cert_file).certificates()?;
            let key_file = key_file.as_ref().unwrap_or(cert_file);
            builder.with_client_auth_cert(chain, key(key_file).private_key()?).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => format!(
                    "the client's key `{}` does not belong to the certificate `{}`: name the pair that was issued together",
                    key_file.display(),
                    cert_file.display()
                ),
                error => format!("the client's certificate `{}` cannot be used: {error}", cert_file.display()),
            })
        }
    }
}

fn own_roots(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in ca(file).certificates()? {
        roots.add(certificate).map_err(|error| ca(file).unusable(error))?;
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

fn ca(file: &Path) -> PemFile<'_> {
    PemFile { what: "CA certificates", option: "ca", path: file }
}

fn cert(file: &Path) -> PemFile<'_> {
    PemFile { what: "the client's certificate", option: "cert", path: file }
}

fn key(file: &Path) -> PemFile<'_> {
    PemFile { what: "the client's key", option: "key", path: file }
}
