//! From a plain connection to one with TLS, at either end.

use std::time::Duration;

use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::net::transport::Transport;

use super::credentials::Credentials;
use super::session::Session;
use super::words;

impl Credentials {
    /// The handshake with whoever has come in, in which it has `limit` to show itself. With the reason of a
    /// failure comes what there was before, if that is there still. Runs on a runtime with timers.
    pub async fn accept(
        &self,
        plain: Transport,
        limit: Duration,
    ) -> Result<Transport, (String, Option<Transport>)> {
        let Some(config) = self.server() else {
            return Err(("this end has no certificate to show".to_owned(), Some(plain)));
        };
        let shaking = TlsAcceptor::from(config).accept(plain).into_fallible();
        match timeout(limit, shaking).await {
            Ok(Ok(stream)) => Ok(self.session(stream.into())),
            Ok(Err((error, plain))) => Err((words::failure(&error), Some(plain))),
            Err(_) => Err((format!("no handshake within {} ms", limit.as_millis()), None)),
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
