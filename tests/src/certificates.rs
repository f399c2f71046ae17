use std::{
    env, fs,
    ops::Deref,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::unique;

/// A CA that a test makes for itself.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Debug)]
pub struct Issued {
    params: CertificateParams,
    /// The certificate.
    pub pem: String,
    /// Its key, as PKCS#8.
    pub key: String,
}

impl Authority {
    /// A CA of this name, that signed itself.
    pub fn new(name: &str) -> Self {
        let params = Self::params(name);
        let key = key();
        let pem = params.self_signed(&key).expect("a CA can sign itself").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// What makes a certificate one of a CA.
    pub fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params
    }

    /// A certificate for these host names and IP addresses, changed by `change` before it is signed.
    pub fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names that certificates may have");
        change(&mut params);
        self.issue_exactly(params)
    }

    /// A certificate that is as it is told.
    pub fn issue_exactly(&self, params: CertificateParams) -> Issued {
        let key = key();
        let pem = params.signed_by(&key, &self.issuer).expect("a CA can sign").pem();
        Issued { params, pem, key: key.serialize_pem() }
    }
}

impl Issued {
    /// A certificate that signed itself.
    pub fn self_signed(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names that certificates may have");
        let key = key();
        let pem = params.self_signed(&key).expect("it can sign itself").pem();
        Self { params, pem, key: key.serialize_pem() }
    }

    /// Signs others with it, whether it may or not.
    pub fn into_authority(self) -> Authority {
        let key = KeyPair::from_pem(&self.key).expect("the key that was made for it");
        Authority { issuer: Issuer::new(self.params, key), pem: self.pem }
    }

    /// The certificate, for a server of the test's own.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.pem.as_bytes()).expect("PEM that was just made")
    }

    /// The key, for a server of the test's own.
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM that was just made")
    }

    /// Writes certificate and key beside each other, and says where.
    pub fn write(&self, directory: &Path) -> (PathBuf, PathBuf) {
        (write_pem(directory, &self.pem), write_pem(directory, &self.key))
    }
}

/// A directory of a test's own, gone with its drop.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    #[allow(clippy::new_without_default, reason = "it makes something")]
    pub fn new() -> Self {
        let path = env::temp_dir().join(unique("kinoko-files"));
        fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a PEM file under a name of its own. A broker runs as another user, so everybody may read it.
pub fn write_pem(directory: &Path, pem: &str) -> PathBuf {
    let path = directory.join(format!("{}.pem", unique("tls")));
    fs::write(&path, pem).expect("a writable directory");
    path
}

fn key() -> KeyPair {
    KeyPair::generate().expect("ring makes keys")
}
