//! A live connection of the cluster: its socket, whom it belongs to, and what each end owes.

use std::time::Duration;

use crate::reactor::socket::Socket;
use crate::reactor::{Alarm, Reactor};
use crate::registry::Id;
use crate::timers::TimerId;

use super::pace::Pace;

/// How soon a connection whose turn to be read has not come is looked at again.
const AGAIN: Duration = Duration::from_millis(100);

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: Id,
    pub(super) socket: Socket,
    /// It came in, instead of having been dialled.
    pub(super) incoming: bool,
    /// Stands in the list of those with bytes to write.
    pub(super) dirty: bool,
    pub(super) pace: Pace,
    /// Requests given to the script and not answered yet.
    pub(super) handling: usize,
    /// When the last part of an unfinished frame came, in milliseconds.
    progress: u64,
    /// Looks whether its rest has come. One alarm outlives many such frames, since under load
    /// every other read ends inside one.
    watch: Option<TimerId>,
}

impl Link {
    /// A fresh connection of `peer`.
    pub(super) fn new(peer: Id, socket: Socket, incoming: bool) -> Link {
        Link {
            peer,
            socket,
            incoming,
            dirty: false,
            pace: Pace::new(),
            handling: 0,
            progress: 0,
            watch: None,
        }
    }

    /// The socket keeps the beginning of a frame, whose rest is to come before `patience` is over.
    pub(super) fn expect_rest(&mut self, reactor: &mut Reactor, id: Id, patience: Duration) {
        self.progress = reactor.now();
        if self.watch.is_none() {
            self.arm(reactor, id, patience);
        }
    }

    /// The alarm of [`expect_rest`](Self::expect_rest): true when nothing of the rest came in all that time.
    pub(super) fn is_stalled(&mut self, reactor: &mut Reactor, id: Id, patience: Duration) -> bool {
        self.watch = None;
        if !self.socket.keeps_some() {
            return false;
        }
        if self.socket.is_noted() {
            // Others had this turn's share; the rest may be with the kernel already.
            self.arm(reactor, id, AGAIN);
            return false;
        }
        let silence = Duration::from_millis(reactor.now().saturating_sub(self.progress));
        if silence < patience {
            self.arm(reactor, id, patience - silence);
        }
        silence >= patience
    }

    fn arm(&mut self, reactor: &mut Reactor, id: Id, wait: Duration) {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.watch = Some(reactor.arm(wait, Alarm::Frame(id)));
    }

    /// Begins to close in order.
    pub(super) fn close(&mut self, reactor: &mut Reactor, id: Id) {
        self.unwatch(reactor);
        self.socket.close(reactor, Alarm::Link(id));
    }

    /// For the owner that drops it: takes its deadlines back. True when it was still open.
    pub(super) fn retire(mut self, reactor: &mut Reactor) -> bool {
        self.unwatch(reactor);
        self.socket.retire(reactor)
    }

    fn unwatch(&mut self, reactor: &mut Reactor) {
        if let Some(watch) = self.watch.take() {
            reactor.disarm(watch);
        }
    }
}
