//! A connected socket of either family, with TLS or without. What is above sees bytes, and not what carries
//! them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use libc::MSG_NOSIGNAL;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::tls::{Names, Session};

/// How long a connection that [`part`](Transport::part)s is listened to, and how much of it is thrown away
/// meanwhile.
const FAREWELL: Duration = Duration::from_secs(1);
const REMNANT: u64 = 64 * 1024;

/// One of them.
#[derive(Debug)]
pub enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// Either of them below. In a box, since it is larger by far.
    Tls(Box<Session>),
}

impl Transport {
    /// Ready once the kernel holds bytes, or the end; with TLS always, which holds some itself.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Tls(_) => Poll::Ready(Ok(())),
        }
    }

    /// Ends a connection so that the other end can read what it was last told: were it closed while something
    /// of it is unread, the kernel would answer with a reset, which can destroy what is on the way. Within a
    /// second, and whether it has read it is its own business. Runs on a runtime with timers.
    pub async fn part(mut self) {
        let listening = async {
            self.shutdown().await?;
            let mut remnant = self.take(REMNANT);
            let mut waste = [0; 1024];
            while remnant.read(&mut waste).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = timeout(FAREWELL, listening).await;
    }

    /// For options that only TCP has.
    pub(super) fn tcp(&self) -> Option<SockRef<'_>> {
        match self {
            Self::Tcp(stream) => Some(SockRef::from(stream)),
            Self::Unix(_) => None,
            Self::Tls(session) => session.transport().tcp(),
        }
    }

    /// The names in the certificate of the other end, where it has shown one that was verified.
    pub(super) fn names(&self) -> Option<&Names> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => None,
            Self::Tls(session) => session.names(),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(session) => Pin::new(session).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(session) => Pin::new(session).poll_write(cx, bytes),
        }
    }

    /// At once what several buffers hold, as TLS asks for: one by one its last word would stay behind, since it
    /// tries only once where a handshake fails. The system's own function for it would raise SIGPIPE.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let send = |socket: SockRef<'_>| socket.send_vectored_with_flags(buffers, MSG_NOSIGNAL);
        loop {
            let sent = match this {
                Self::Tcp(stream) => {
                    ready!(stream.poll_write_ready(cx))?;
                    stream.try_io(Interest::WRITABLE, || send(SockRef::from(&*stream)))
                }
                Self::Unix(stream) => {
                    ready!(stream.poll_write_ready(cx))?;
                    stream.try_io(Interest::WRITABLE, || send(SockRef::from(&*stream)))
                }
                Self::Tls(session) => return Pin::new(session).poll_write_vectored(cx, buffers),
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {} // and says when it would not
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())), // a socket keeps nothing back
            Self::Tls(session) => Pin::new(session).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(session) => Pin::new(session).poll_shutdown(cx),
        }
    }
}
