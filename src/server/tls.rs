//! TLS 1.2 and 1.3 with rustls, and a certificate that can be replaced while the server runs.
//!
//! The files are read at regular intervals. A new certificate applies from the next handshake; open connections keep
//! the previous one. If the files are invalid, for example because the key was not written yet, the previous certificate remains in
//! use, the error is logged once, and the files are read again when they change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, CertificateError, RootCertStore, ServerConfig,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier, verify_server_name},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem, pem::PemObject},
        server::{ClientHello, ParsedCertificate, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

/// PEM files of the certificate chain, which starts with the certificate of the server, and of its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// An error in the certificate files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {}: {error}", path.display())]
    File { variable: &'static str, path: PathBuf, error: io::Error },
    #[error("{} contains no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} contains no unencrypted PEM private key", .0.display())]
    NoKey(PathBuf),
    #[error("the private key in {} is damaged or of an unsupported type or size", .0.display())]
    UnsupportedKey(PathBuf),
    #[error("the private key in {} does not match the certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("cannot use the certificate in {}: {error}", path.display())]
    Unusable { path: PathBuf, error: rustls::Error },
}

impl TlsError {
    /// Returns how to fix the error.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::File { variable, .. } => Some(format!("set {variable} to a readable file")),
            Self::NoCertificate(_) => {
                Some("set TLS_CERT to a file with the certificate chain, the server's certificate first".to_owned())
            }
            Self::NoKey(_) => {
                Some("set TLS_KEY to the private key of the certificate, without a passphrase".to_owned())
            }
            Self::UnsupportedKey(_) => Some(
                "use an ECDSA key on P-256 or P-384, an Ed25519 key, or an RSA key of 2048 to 8192 bits".to_owned(),
            ),
            Self::Mismatch { .. } => Some("set TLS_CERT and TLS_KEY to files that belong together".to_owned()),
            Self::Unusable { .. } => None,
        }
    }
}

/// A certificate with its private key.
#[derive(Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    not_before: Option<SystemTime>,
    not_after: Option<SystemTime>,
}

impl CertificateFiles {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(&self) -> Result<Certificate, TlsError> {
        self.parse(&read("TLS_CERT", &self.certificate)?, &read("TLS_KEY", &self.key)?)
    }

    fn parse(&self, certificate: &[u8], key: &[u8]) -> Result<Certificate, TlsError> {
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| TlsError::NoCertificate(self.certificate.clone()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey(self.key.clone()))?;
        let first = chain[0].clone();
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Mismatch { certificate: self.certificate.clone(), key: self.key.clone() }
            }
            rustls::Error::General(_) => TlsError::UnsupportedKey(self.key.clone()),
            error => TlsError::Unusable { path: self.certificate.clone(), error },
        })?;
        let (not_before, not_after) = validity(&first);
        Ok(Certificate { key: Arc::new(certified), not_before, not_after })
    }

    /// Returns a digest of the files; `None` if one cannot be read.
    fn fingerprint(&self) -> Option<[u8; 32]> {
        let mut digest = Sha256::new();
        for path in [&self.certificate, &self.key] {
            let bytes = fs::read(path).ok()?;
            digest.update(bytes.len().to_le_bytes());
            digest.update(bytes);
        }
        Some(digest.finalize().into())
    }
}

fn read(variable: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::File { variable, path: path.to_owned(), error })
}

impl Certificate {
    /// Start of the validity period.
    #[must_use]
    pub const fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// End of the validity period.
    #[must_use]
    pub const fn not_after(&self) -> Option<SystemTime> {
        self.not_after
    }

    /// Returns whether the certificate is valid for a host name or IP address.
    #[must_use]
    pub fn is_valid_for(&self, host: &str) -> bool {
        let (Some(first), Ok(name)) = (self.key.cert.first(), ServerName::try_from(host)) else { return false };
        ParsedCertificate::try_from(first).is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }
}

/// Returns the validity period of a certificate. rustls has no function for it, but verifying at a time before or after the
/// period fails with an error that contains it, before anything else is checked.
fn validity(certificate: &CertificateDer<'static>) -> (Option<SystemTime>, Option<SystemTime>) {
    let at = |seconds: u64| -> Option<rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).ok()?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
        let (name, time) = (ServerName::try_from("localhost").ok()?, Duration::from_secs(seconds));
        verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::since_unix_epoch(time)).err()
    };
    let not_before = match at(0) {
        Some(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Some(not_before)
        }
        _ => None,
    };
    let not_after = match at(u64::from(u32::MAX) * 100) {
        Some(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => Some(not_after),
        _ => None,
    };
    let system = |time: UnixTime| SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    (not_before.map(system), not_after.map(system))
}

/// The current certificate and its files.
#[derive(Debug)]
pub struct Certificates {
    files: RwLock<CertificateFiles>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(files: CertificateFiles) -> Result<Arc<Self>, TlsError> {
        let certificate = files.load()?;
        Ok(Arc::new(Self { files: RwLock::new(files), current: RwLock::new(certificate.key) }))
    }

    fn files(&self) -> CertificateFiles {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads a certificate, which applies to new connections, and watches its files from now on.
    ///
    /// # Errors
    /// [`TlsError`]. The current certificate and its files remain in use.
    pub fn replace(&self, files: CertificateFiles) -> Result<(), TlsError> {
        let certificate = files.load()?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certificate.key;
        *self.files.write().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }

    /// Creates an acceptor for TLS 1.2 and 1.3 that prefers HTTP/2 to HTTP/1.1.
    ///
    /// # Errors
    /// Fails if the cryptography provider does not support these versions.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let resolver: Arc<dyn ResolvesServerCert> = self.clone();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsError::Unusable { path: self.files().certificate, error })?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        // Select the strongest cipher suite that both sides support, instead of the preferred one of the client.
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Checks the files for changes at regular intervals. Never completes.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        let mut loaded = self.fingerprint().await;
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let current = self.fingerprint().await;
            if current == loaded {
                continue;
            }
            loaded = current;
            let certificates = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || certificates.replace(certificates.files())).await {
                Ok(Ok(())) => tracing::info!("certificate reloaded"),
                Ok(Err(error)) => tracing::error!(%error, "cannot reload certificate; keeping the previous one"),
                Err(error) => tracing::error!(%error, "cannot reload certificate; keeping the previous one"),
            }
        }
    }

    async fn fingerprint(self: &Arc<Self>) -> Option<[u8; 32]> {
        let certificates = Arc::clone(self);
        tokio::task::spawn_blocking(move || certificates.files().fingerprint()).await.ok().flatten()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    use super::*;

    /// A key on a curve that ring does not implement, generated for this test.
    const P521_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIA1YGjLZ/QPcq71toj\n\
        R4G/+CRk1lks4nHaV87nx9aPd4o5No7h6EvIuoDOAAGU+4jdm+tH2T4FL9MTsbLb\n\
        KrDACQuhgYkDgYYABADA+7rB0ZCny0XRPdX7PDvT+puoERUqMnaWp2E8gSwGfaxi\n\
        SDHGw0OPc9er0C/ssqNLLXAYtsg2PY40gnBK3mfiZQBarYEcup4ZddaQRRCIS9GJ\n\
        CeV1o2+S6Xb2AcE05LguKkovakiMbyyINfsJN2uEm0arCdTFP3slreLM7OyhXlBv\n\
        UA==\n\
        -----END PRIVATE KEY-----";

    /// A certificate for `localhost` that is valid in 2027, and its key.
    fn pair() -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2027, 1, 1);
        params.not_after = date_time_ymd(2027, 12, 31);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn files(directory: &TempDir, certificate: &str, key: &str) -> CertificateFiles {
        let (certificate_path, key_path) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        fs::write(&certificate_path, certificate).unwrap();
        fs::write(&key_path, key).unwrap();
        CertificateFiles { certificate: certificate_path, key: key_path }
    }

    #[test]
    fn certificate_has_a_validity_period_and_names() {
        let directory = TempDir::new().unwrap();
        let (certificate, key) = pair();
        let loaded = files(&directory, &certificate, &key).load().unwrap();
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        // 2027-01-01 and 2027-12-31.
        assert_eq!((loaded.not_before(), loaded.not_after()), (at(1_798_761_600), at(1_830_211_200)));
        assert!(loaded.is_valid_for("localhost"));
        assert!(!loaded.is_valid_for("api.example.com") && !loaded.is_valid_for("not a host"));
    }

    #[test]
    fn unusable_files_are_rejected() {
        let directory = TempDir::new().unwrap();
        let ((certificate, key), (_, other)) = (pair(), pair());
        for (certificate, key, expected) in [
            (certificate.as_str(), other.as_str(), "does not match the certificate"),
            (&key, &key, "contains no PEM certificate"),
            ("", &key, "contains no PEM certificate"),
            (&certificate, &certificate, "contains no unencrypted PEM private key"),
            (&certificate, &key.replace("PRIVATE", "ENCRYPTED PRIVATE"), "contains no unencrypted PEM private key"),
            (&certificate, P521_KEY, "is damaged or of an unsupported type or size"),
        ] {
            let error = files(&directory, certificate, key).load().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let missing =
            CertificateFiles { certificate: directory.path().join("none.pem"), key: directory.path().join("key.pem") };
        let error = missing.load().unwrap_err();
        assert_eq!(error.help().as_deref(), Some("set TLS_CERT to a readable file"));
    }
}
