//! A connection with TLS, once its handshake is over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::net::transport::Transport;

use super::Names;

/// The plain connection below it, what is held of both ways, and who the other end is.
#[derive(Debug)]
pub struct Session {
    stream: TlsStream<Transport>,
    names: Option<Names>,
}

impl Session {
    /// Takes a stream over. `verified`: the other end's certificate, if it has shown one, was looked at.
    pub(super) fn new(stream: TlsStream<Transport>, verified: bool) -> Session {
        let (_, connection) = stream.get_ref();
        let shown = connection.peer_certificates().filter(|_| verified).and_then(<[_]>::first);
        let names = shown.and_then(|certificate| {
            let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
            let names = certificate.valid_dns_names().chain(certificate.valid_uri_names());
            Some(names.map(Box::from).collect())
        });
        Session { stream, names }
    }

    /// What carries it.
    pub(in crate::net) fn transport(&self) -> &Transport {
        self.stream.get_ref().0
    }

    /// The names in the certificate that the other end has shown and that was verified.
    pub(in crate::net) fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }
}

impl AsyncRead for Session {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer) {
            // An end without TLS's own word for it, as a process leaves that was killed: an end like that of a
            // plain connection. Half a frame is none, and who is asked and does not answer has gone.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Session {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
