//! From a plain connection to one with TLS, at either end.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::net::transport::Transport;

use super::credentials::Credentials;
use super::session::Session;
use super::words;

/// How long one that was refused is listened to: were its connection closed while something of it is
/// unread, the kernel would answer with a reset, and that can destroy the alert that tells it why.
const FAREWELL: Duration = Duration::from_secs(1);

/// How much of it is thrown away meanwhile.
const REMNANT: u64 = 64 * 1024;

impl Credentials {
    /// The handshake with whoever has come in, in which it has `limit` to show itself. Runs on a runtime with
    /// timers.
    pub async fn accept(&self, plain: Transport, limit: Duration) -> Result<Transport, String> {
        let Some(config) = self.server() else {
            return Err("this end has no certificate to show".to_owned());
        };
        let shaking = TlsAcceptor::from(config).accept(plain).into_fallible();
        match timeout(limit, shaking).await {
            Ok(Ok(stream)) => Ok(self.session(stream.into())),
            Ok(Err((error, plain))) => {
                let why = words::failure(&error);
                // It was refused already; whether it has heard is its own business.
                let _ = timeout(FAREWELL, part(plain)).await;
                Err(why)
            }
            Err(_) => Err(format!("no handshake within {} ms", limit.as_millis())),
        }
    }

    /// The handshake with whoever was dialled, which has to be `host` or the name that a script gave. As
    /// long as it takes: whoever gives up drops this.
    pub async fn connect(&self, plain: Transport, host: &str) -> Result<Transport, String> {
        let host = self.settings().server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            format!(
                "no certificate can be for {host:?}; the option server_name says whom to expect"
            )
        })?;
        match TlsConnector::from(self.client()).connect(name, plain).await {
            Ok(stream) => Ok(self.session(stream.into())),
            Err(error) => Err(words::failure(&error)),
        }
    }

    fn session(&self, stream: tokio_rustls::TlsStream<Transport>) -> Transport {
        Transport::Tls(Box::new(Session::new(stream, self.settings().verify)))
    }
}

/// Ends a connection so that the other end can read what it was last told.
async fn part(mut plain: Transport) -> io::Result<()> {
    plain.shutdown().await?;
    let mut remnant = plain.take(REMNANT);
    let mut waste = [0; 1024];
    while remnant.read(&mut waste).await? > 0 {}
    Ok(())
}
