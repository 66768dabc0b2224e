//! A listening socket.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::keepalive;

/// Whether connections that come in have the settings of their listener, which then need not be made
/// for each of them: four system calls, a third of what an accept costs.
pub(super) const INHERITED: bool = cfg!(target_os = "linux");

/// A bound and listening socket, with the address it was really given.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
}

impl Listener {
    /// Binds and listens at once. Must run inside a runtime's context.
    ///
    /// An address in use by a listener is refused, one whose old connections are merely lingering
    /// in the kernel is not.
    pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<Listener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.set_nodelay(true)?;
        socket.bind(address)?;
        let socket = socket.listen(backlog)?;
        let local = socket.local_addr()?;
        Ok(Listener { socket, local })
    }

    /// Has connections that come in from now on end by themselves, where they inherit that; see
    /// [`Connection::keep_alive`](super::connection::Connection::keep_alive).
    pub fn keep_alive(&self, limit: Option<Duration>) {
        let socket = SockRef::from(&self.socket);
        // Fails only on a socket that is none.
        let _ = match limit {
            Some(limit) => keepalive::watch(socket, limit),
            None => keepalive::unwatch(socket),
        };
    }

    /// The address really bound: with port 0 asked for, the one that was chosen.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next connection of the backlog, and whose it is: a connection that was reset meanwhile
    /// could not be asked any more.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.socket.poll_accept(cx)
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
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), 8).unwrap();
            for limit in [None, Some(Duration::from_secs(7)), None, Some(Duration::from_secs(2))] {
                listener.keep_alive(limit);
                let _client = Client::connect(listener.local()).unwrap();
                let (accepted, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
                let socket = SockRef::from(&accepted);
                assert!(accepted.nodelay().unwrap());
                assert_eq!(socket.keepalive().unwrap(), limit.is_some());
                let timeout = socket.tcp_user_timeout().unwrap();
                assert_eq!(timeout.is_some(), limit.is_some(), "{timeout:?}");
            }
        });
    }
}
