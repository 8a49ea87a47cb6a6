//! The certificate of an https server, read again when it changes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::complaint::Complaint;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A certificate with its key, as its files had them last.
pub(super) struct Tls {
    cert: PathBuf,
    key: PathBuf,
    current: Arc<Current>,
}

/// What connections get that begin now.
struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    pub(super) fn open(cert: PathBuf, key: PathBuf) -> Result<Tls, Complaint> {
        let read = read(&cert, &key).map_err(Complaint::usage)?;
        Ok(Tls { cert, key, current: Arc::new(Current(RwLock::new(Arc::new(read)))) })
    }

    /// Looks after the files until `end`. Files that cannot be used leave the last certificate in force.
    pub(super) fn follow(self, end: CancellationToken) -> TlsAcceptor {
        let Tls { cert, key, current } = self;
        let mut config =
            rustls::ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::clone(&current) as Arc<_>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        tokio::spawn(async move {
            let mut said = String::new();
            while end.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
                let (cert, key) = (cert.clone(), key.clone());
                let Ok(read) = tokio::task::spawn_blocking(move || read(&cert, &key)).await else { continue };
                match read {
                    Ok(read) => {
                        said.clear();
                        let before = Arc::clone(&current.0.read().unwrap_or_else(PoisonError::into_inner));
                        if read.cert != before.cert {
                            tracing::info!("the certificate has changed");
                            *current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                        }
                    }
                    Err(why) if why != said => {
                        tracing::error!(why, "the last certificate stays");
                        said = why;
                    }
                    Err(_) => {}
                }
            }
        });
        TlsAcceptor::from(Arc::new(config))
    }
}

fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let unusable = |path: &Path, why: &dyn fmt::Display| format!("{} cannot be used: {why}", path.display());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unusable(cert, &error))?;
    if chain.is_empty() {
        return Err(unusable(cert, &"it holds no certificate"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    let private = rustls::crypto::ring::sign::any_supported_type(&private).map_err(|error| unusable(key, &error))?;
    let certified = CertifiedKey::new(chain, private);
    certified.keys_match().map_err(|_| unusable(key, &"it is not the certificate's key"))?;
    Ok(certified)
}
