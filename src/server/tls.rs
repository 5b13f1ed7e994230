//! TLS 1.2 and 1.3 by rustls, with a certificate that may change while the server runs.
//!
//! The files are read again from time to time. What is new is used from the next handshake on; connections keep what they
//! were opened with. Files that cannot be used, such as a certificate whose key has not arrived yet, change nothing: the
//! log says why, once, and they are looked at again when they change.

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

/// The files of a certificate, in PEM: the chain, the server's own first; its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why files cannot be used; says which and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the file `{}` cannot be read ({error}); let {variable} name one that can", path.display())]
    File { variable: &'static str, path: PathBuf, error: io::Error },
    #[error("the file `{}` holds no certificate in PEM; let TLS_CERT name the chain, the server's own first", .0.display())]
    NoCertificate(PathBuf),
    #[error("the file `{}` holds no private key in PEM without a passphrase; let TLS_KEY name one", .0.display())]
    NoKey(PathBuf),
    #[error("the key in `{}` does not belong to the certificate in `{}`", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate in `{}` cannot be used: {error}", path.display())]
    Unusable { path: PathBuf, error: rustls::Error },
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    begins: Option<SystemTime>,
    ends: Option<SystemTime>,
}

impl Files {
    /// Reads and checks them.
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
            rustls::Error::General(_) => TlsError::NoKey(self.key.clone()),
            error => TlsError::Unusable { path: self.certificate.clone(), error },
        })?;
        let (begins, ends) = validity(&first);
        Ok(Certificate { key: Arc::new(certified), begins, ends })
    }

    /// What tells one state of the files from another.
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
    /// When it begins to be good.
    #[must_use]
    pub const fn begins(&self) -> Option<SystemTime> {
        self.begins
    }

    /// When it ends to be good.
    #[must_use]
    pub const fn ends(&self) -> Option<SystemTime> {
        self.ends
    }

    /// Whether it names this host.
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        let (Some(first), Ok(name)) = (self.key.cert.first(), ServerName::try_from(host)) else { return false };
        ParsedCertificate::try_from(first).is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }
}

/// From when until when a certificate is good. rustls does not tell; but it says so when it refuses one for a time before
/// or after that, and looks at nothing else first.
fn validity(certificate: &CertificateDer<'static>) -> (Option<SystemTime>, Option<SystemTime>) {
    let at = |seconds: u64| -> Option<rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).ok()?;
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()?;
        let (name, time) = (ServerName::try_from("localhost").ok()?, Duration::from_secs(seconds));
        verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::since_unix_epoch(time)).err()
    };
    let begins = match at(0) {
        Some(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Some(not_before)
        }
        _ => None,
    };
    let ends = match at(u64::from(u32::MAX) * 100) {
        Some(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => Some(not_after),
        _ => None,
    };
    let system = |time: UnixTime| SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    (begins.map(system), ends.map(system))
}

/// The certificate that handshakes use, and the files it comes from.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(files: Files) -> Result<Arc<Self>, TlsError> {
        let certificate = files.load()?;
        Ok(Arc::new(Self { files, current: RwLock::new(certificate.key) }))
    }

    /// What shakes hands: TLS 1.2 and 1.3, HTTP/2 before HTTP/1.1.
    ///
    /// # Errors
    /// When the provider of the cryptography does not offer these versions.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let resolver: Arc<dyn ResolvesServerCert> = self.clone();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsError::Unusable { path: self.files.certificate.clone(), error })?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        // The strongest that both have, rather than what the client happens to name first.
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Looks at the files from time to time, for ever.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        let mut known = self.look().await;
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let now = self.look().await;
            if now == known {
                continue;
            }
            known = now;
            let this = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || this.files.load()).await {
                Ok(Ok(certificate)) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = certificate.key;
                    tracing::info!("took over the new certificate");
                }
                Ok(Err(error)) => tracing::error!(%error, "cannot take over the new certificate; the old one stays"),
                Err(error) => tracing::error!(%error, "cannot read the certificate"),
            }
        }
    }

    async fn look(self: &Arc<Self>) -> Option<[u8; 32]> {
        let this = Arc::clone(self);
        tokio::task::spawn_blocking(move || this.files.fingerprint()).await.ok().flatten()
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

    /// A certificate of 2027 for `localhost`, and its key.
    fn pair() -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2027, 1, 1);
        params.not_after = date_time_ymd(2027, 12, 31);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn files(folder: &TempDir, certificate: &str, key: &str) -> Files {
        let (certificate_path, key_path) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        fs::write(&certificate_path, certificate).unwrap();
        fs::write(&key_path, key).unwrap();
        Files { certificate: certificate_path, key: key_path }
    }

    #[test]
    fn a_certificate_tells_its_time_and_its_names() {
        let folder = TempDir::new().unwrap();
        let (certificate, key) = pair();
        let loaded = files(&folder, &certificate, &key).load().unwrap();
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        // 2027-01-01 and 2027-12-31.
        assert_eq!((loaded.begins(), loaded.ends()), (at(1_798_761_600), at(1_830_211_200)));
        assert!(loaded.names("localhost") && !loaded.names("api.example.com") && !loaded.names("not a host"));
    }

    #[test]
    fn files_that_cannot_be_used_are_told_with_their_remedy() {
        let folder = TempDir::new().unwrap();
        let ((certificate, key), (_, other)) = (pair(), pair());
        for (certificate, key, expected) in [
            (certificate.as_str(), other.as_str(), "does not belong to the certificate"),
            (&key, &key, "holds no certificate in PEM; let TLS_CERT"),
            ("", &key, "holds no certificate in PEM"),
            (&certificate, &certificate, "holds no private key in PEM without a passphrase; let TLS_KEY"),
            (&certificate, &key.replace("PRIVATE", "ENCRYPTED PRIVATE"), "holds no private key"),
        ] {
            let error = files(&folder, certificate, key).load().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let missing = Files { certificate: folder.path().join("none.pem"), key: folder.path().join("key.pem") };
        let error = missing.load().unwrap_err().to_string();
        assert!(error.ends_with("; let TLS_CERT name one that can"), "{error}");
    }
}
