//! What an end shows and whom it takes: from the files that a script names to what handshakes use.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConfig};

use crate::net::errno::reason;

use super::Settings;
use super::anyone::Anyone;

/// What the library has other words for, with the bytes that it missed.
const NO_PEM: &str = "is no PEM, or is cut off";

/// For handshakes of one side or the other.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// None without a certificate to show.
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
}

/// What a script has said, and what the files had when they were last read.
#[derive(Debug)]
pub struct Credentials {
    settings: Settings,
    current: Mutex<Fresh>,
}

impl Credentials {
    /// Reads the files; or says what is wrong with which.
    pub fn read(settings: Settings) -> Result<Credentials, String> {
        let current = Mutex::new(load(&settings)?);
        Ok(Credentials { settings, current })
    }

    /// Reads the files again, for [`renew`](Self::renew).
    pub fn reread(&self) -> Result<Fresh, String> {
        load(&self.settings)
    }

    /// Has the handshakes that begin from now on use what was read.
    pub fn renew(&self, fresh: Fresh) {
        *self.current.lock() = fresh;
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn server(&self) -> Option<Arc<ServerConfig>> {
        self.current.lock().server.clone()
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.current.lock().client)
    }
}

/// What this end shows.
struct Identity<'a> {
    cert: &'a Path,
    key: &'a Path,
    chain: Vec<CertificateDer<'static>>,
    private: PrivateKeyDer<'static>,
}

impl Identity<'_> {
    /// Why the library does not take it.
    fn refusal(&self, error: &Error) -> String {
        let (cert, key) = (self.cert.display(), self.key.display());
        match error {
            Error::InconsistentKeys(_) => {
                format!("key {key}: is not that of the certificate in {cert}")
            }
            Error::InvalidCertificate(_) => format!("cert {cert}: {}", own(error)),
            _ => format!("cert {cert}, key {key}: {}", own(error)),
        }
    }
}

/// What is wrong with a certificate or a key of this end; the library would speak of a peer's.
fn own(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "holds what is no certificate".to_owned()
        }
        Error::InvalidCertificate(why) => why.to_string(),
        Error::General(why) => why.clone(),
        _ => error.to_string(),
    }
}

fn load(settings: &Settings) -> Result<Fresh, String> {
    if let Some(name) = &settings.server_name
        && ServerName::try_from(name.as_str()).is_err()
    {
        return Err(format!("server_name {name:?}: is neither a name nor an address"));
    }
    let provider = Arc::new(ring::default_provider());
    let identity = match &settings.identity {
        Some((cert, key)) => Some(read_identity(cert, key)?),
        None => None,
    };
    let roots = match (&settings.ca, settings.verify) {
        (Some(ca), true) => Some(Arc::new(read_roots(ca)?)),
        (None, true) => return Err("ca: is needed to verify the other end".to_owned()),
        (_, false) => None,
    };
    let server = match &identity {
        Some(identity) => Some(Arc::new(server(&provider, identity, roots.clone())?)),
        None => None,
    };
    Ok(Fresh { server, client: Arc::new(client(&provider, identity.as_ref(), roots)?) })
}

fn server(
    provider: &Arc<CryptoProvider>,
    identity: &Identity<'_>,
    roots: Option<Arc<RootCertStore>>,
) -> Result<ServerConfig, String> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?;
    let builder = match roots {
        Some(roots) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider)).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| format!("ca: {error}"))?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(identity.chain.clone(), identity.private.clone_key())
        .map_err(|error| identity.refusal(&error))?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn client(
    provider: &Arc<CryptoProvider>,
    identity: Option<&Identity<'_>>,
    roots: Option<Arc<RootCertStore>>,
) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| error.to_string())?;
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(Arc::clone(provider)))),
    };
    let mut config = match identity {
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.private.clone_key())
            .map_err(|error| identity.refusal(&error))?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn read_identity<'a>(cert: &'a Path, key: &'a Path) -> Result<Identity<'a>, String> {
    let chain = read_certificates("cert", cert)?;
    let private = PrivateKeyDer::from_pem_slice(&read("key", key)?).map_err(|error| {
        let why = match error {
            PemError::NoItemsFound => "holds no private key, or none that is not encrypted",
            _ => NO_PEM,
        };
        format!("key {}: {why}", key.display())
    })?;
    Ok(Identity { cert, key, chain, private })
}

fn read_roots(ca: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates("ca", ca)? {
        roots.add(certificate).map_err(|error| format!("ca {}: {}", ca.display(), own(&error)))?;
    }
    Ok(roots)
}

fn read_certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|_| format!("{what} {}: {NO_PEM}", path.display()))?;
    match found.is_empty() {
        true => Err(format!("{what} {}: holds no certificate", path.display())),
        false => Ok(found),
    }
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{what} {}: {}", path.display(), reason(&error)))
}
