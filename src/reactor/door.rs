//! A listening socket with its waker, and how connections are taken in.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::net::endpoint::Endpoint;
use crate::net::errno;
use crate::net::listener::Listener;
use crate::net::transport::Transport;

use super::event::Severity;
use super::inbox::Source;
use super::{Alarm, Reactor};

/// Connections taken in one turn before others get theirs.
const ACCEPT_BATCH: usize = 64;

/// How long a listener rests when the process has no descriptor left, in milliseconds: the
/// kernel would report the same connection again at once.
const ACCEPT_PAUSE: u64 = 100;

/// The same after a look that brought somebody before it failed. Whoever has left the backlog's
/// connections meanwhile gives the descriptors back as soon as they are read, and a long rest would
/// let a full backlog of them hold up the living ones behind it for seconds.
const ACCEPT_BREATH: u64 = 1;

/// One listener.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    source: Arc<Source>,
    waker: Waker,
    /// Set when accepting fails, so that it is logged once, until nobody waits any more.
    troubled: bool,
}

impl Door {
    /// Opens for business.
    pub fn new(listener: Listener, source: Arc<Source>) -> Door {
        let waker = Waker::from(Arc::clone(&source));
        Door { listener, source, waker, troubled: false }
    }

    /// What connections that come in from now on are told of silence; see
    /// [`Listener::keep_alive`].
    pub fn keep_alive(&self, limit: Option<Duration>) {
        self.listener.keep_alive(limit);
    }

    /// Has it looked after in this turn, though its waker has not spoken.
    pub fn note(&self) {
        self.source.note();
    }

    /// Leaves those who wait in the backlog there, until it is noted.
    pub fn rest(&self) {
        self.source.heed();
    }

    /// What waits in the backlog, up to a batch and to `most`; with more, or after trouble, it is looked
    /// after again. `retry` is the deadline that notes it after a pause.
    pub fn accept(
        &mut self,
        reactor: &mut Reactor,
        retry: Alarm,
        most: usize,
    ) -> Vec<(Transport, Endpoint)> {
        let mut taken = Vec::new();
        while taken.len() < ACCEPT_BATCH.min(most) {
            self.source.heed();
            match self.listener.poll_accept(&mut Context::from_waker(&self.waker)) {
                Poll::Pending => {
                    self.troubled = false;
                    return taken;
                }
                Poll::Ready(Ok(guest)) => taken.push(guest),
                Poll::Ready(Err(error)) if is_of_one_connection(&error) => {}
                Poll::Ready(Err(error)) => {
                    if !std::mem::replace(&mut self.troubled, true) {
                        let local = self.listener.local();
                        let why = errno::reason(&error);
                        let text = format!("[silly] accept on {local}: {why}");
                        reactor.log(Severity::Error, text);
                    }
                    let pause = if taken.is_empty() { ACCEPT_PAUSE } else { ACCEPT_BREATH };
                    reactor.arm(pause, retry);
                    return taken;
                }
            }
        }
        self.source.note();
        taken
    }
}

/// True for the errors of accept that concern only the connection it would have given.
fn is_of_one_connection(error: &io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}
