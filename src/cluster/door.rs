//! A listener of the cluster.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::net::TcpStream;

use crate::net::listener::Listener;
use crate::reactor::inbox::Source;

/// Connections taken in one turn before others get theirs.
pub(super) const ACCEPT_BATCH: usize = 64;

/// How long a listener rests when the process has no descriptor left, in milliseconds: the
/// kernel would report the same connection again at once.
pub(super) const ACCEPT_PAUSE: u64 = 100;

/// A listening socket with its waker.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) source: Arc<Source>,
    waker: Waker,
    /// Set while accepting fails, so that it is logged once.
    pub(super) troubled: bool,
}

impl Door {
    /// Opens for business.
    pub(super) fn new(listener: Listener, source: Arc<Source>) -> Door {
        let waker = Waker::from(Arc::clone(&source));
        Door { listener, source, waker, troubled: false }
    }

    /// The next connection of the backlog, and whose it is.
    pub(super) fn poll_accept(&self) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.listener.poll_accept(&mut Context::from_waker(&self.waker))
    }
}
