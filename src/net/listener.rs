//! A listening socket.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::endpoint::Endpoint;
use super::keepalive;
use super::path::{self, SocketFile};
use super::transport::Transport;

/// Whether connections that come in have the settings of their listener, which then need not be made
/// for each of them: four system calls, a third of what an accept costs.
pub(super) const INHERITED: bool = cfg!(target_os = "linux");

/// Who may connect to a Unix socket unless a script says otherwise: its owner.
pub const OWNER_ONLY: u32 = 0o600;

/// A bound and listening socket, with the address it was really given.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    local: Endpoint,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix {
        socket: UnixListener,
        /// Goes with the socket.
        _file: SocketFile,
    },
}

impl Listener {
    /// Binds and listens at once. Must run inside a runtime's context.
    ///
    /// An address in use by a listener is refused, one whose old connections are merely lingering
    /// in the kernel is not. `mode` says who may connect to a Unix socket.
    pub fn bind(endpoint: &Endpoint, backlog: u32, mode: u32) -> io::Result<Listener> {
        match endpoint {
            Endpoint::Net(address) => Listener::bind_tcp(*address, backlog),
            Endpoint::Unix(path) => {
                let (socket, file) = path::bind(path, mode)?;
                socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
                let socket = UnixListener::from_std(net::UnixListener::from(socket))?;
                let socket = Socket::Unix { socket, _file: file };
                Ok(Listener { socket, local: endpoint.clone() })
            }
        }
    }

    fn bind_tcp(address: SocketAddr, backlog: u32) -> io::Result<Listener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        let socket = socket.listen(backlog)?;
        let local = socket.local_addr()?.into();
        Ok(Listener { socket: Socket::Tcp(socket), local })
    }

    /// Has connections that come in from now on end by themselves, where they inherit that; see
    /// [`Connection::keep_alive`](super::connection::Connection::keep_alive).
    pub fn keep_alive(&self, limit: Option<Duration>) {
        let Socket::Tcp(socket) = &self.socket else { return };
        let socket = SockRef::from(socket);
        // Fails only on a socket that is none.
        let _ = match limit {
            Some(limit) => keepalive::watch(socket, limit),
            None => keepalive::unwatch(socket),
        };
    }

    /// The address really bound: with port 0 asked for, the one that was chosen.
    pub fn local(&self) -> &Endpoint {
        &self.local
    }

    /// The next connection of the backlog, and whose it is: a connection that was reset meanwhile
    /// could not be asked any more. Who comes through a Unix socket has no address but that one.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Transport, Endpoint)>> {
        Poll::Ready(Ok(match &self.socket {
            Socket::Tcp(socket) => {
                let (stream, remote) = ready!(socket.poll_accept(cx))?;
                (Transport::Tcp(stream), remote.into())
            }
            Socket::Unix { socket, .. } => {
                let (stream, _) = ready!(socket.poll_accept(cx))?;
                (Transport::Unix(stream), self.local.clone())
            }
        }))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::net::TcpStream as Client;

    #[test]
    fn connections_have_the_settings_that_their_listener_has_when_they_come_in() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = Listener::bind_tcp("127.0.0.1:0".parse().unwrap(), 8).unwrap();
            for limit in [None, Some(Duration::from_secs(7)), None, Some(Duration::from_secs(2))] {
                listener.keep_alive(limit);
                let _client = Client::connect(listener.local().to_string()).unwrap();
                let (accepted, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
                let socket = accepted.tcp().unwrap();
                assert!(socket.tcp_nodelay().unwrap());
                assert_eq!(socket.keepalive().unwrap(), limit.is_some());
                let timeout = socket.tcp_user_timeout().unwrap();
                assert_eq!(timeout.is_some(), limit.is_some(), "{timeout:?}");
            }
        });
    }
}
