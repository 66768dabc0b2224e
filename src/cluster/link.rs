//! A live connection of the cluster: its socket, whom it belongs to, and what each end owes.

use std::time::Duration;

use crate::reactor::socket::Socket;
use crate::reactor::{Alarm, Reactor};
use crate::registry::Id;
use crate::timers::TimerId;
use crate::wire::Generation;

use super::pace::Pace;

/// What the other end speaks, as far as its first bytes tell, in place of what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    /// The other generation of the wire.
    Generation,
    /// TLS.
    Tls,
}

/// How long nothing more may come of what looks like something else before it is taken for that.
const RECOGNITION: Duration = Duration::from_secs(1);

/// How soon a connection whose turn to be read has not come is looked at again.
const AGAIN: Duration = Duration::from_millis(100);

/// Why a frame has no rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    /// For so long nothing of it came.
    Silence(Duration),
    /// It is none.
    Strange(Stranger),
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: Id,
    pub(super) socket: Socket,
    pub(super) generation: Generation,
    /// Nothing has come of which a frame was made.
    pub(super) fresh: bool,
    /// What has come so far is probably no frame.
    pub(super) stranger: Option<Stranger>,
    /// The longest frame that a warning was given for.
    warned: usize,
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
    pub(super) fn new(peer: Id, socket: Socket, generation: Generation, incoming: bool) -> Link {
        Link {
            peer,
            socket,
            generation,
            fresh: true,
            stranger: None,
            warned: 0,
            incoming,
            dirty: false,
            pace: Pace::new(),
            handling: 0,
            progress: 0,
            watch: None,
        }
    }

    /// True when a warning is due for a long frame: the first one, and then whenever they have become twice
    /// as long, so that a flood of them is none in the log.
    pub(super) fn is_remarkable(&mut self, len: usize) -> bool {
        let remarkable = self.generation == Generation::Two && len >= self.warned.saturating_mul(2);
        if remarkable {
            self.warned = len;
        }
        remarkable
    }

    /// The socket keeps the beginning of a frame, whose rest is to come before `patience` is over. With
    /// `stranger` it is the beginning of something else as well, and probably nothing but that.
    pub(super) fn expect_rest(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        patience: Duration,
        stranger: Option<Stranger>,
    ) {
        self.progress = reactor.now();
        if stranger.is_some() && self.stranger.is_none() {
            self.unwatch(reactor);
        }
        self.stranger = stranger;
        if self.watch.is_none() {
            self.arm(reactor, id, if stranger.is_some() { RECOGNITION } else { patience });
        }
    }

    /// The alarm of [`expect_rest`](Self::expect_rest): what is wrong when nothing of the rest came in all
    /// that time.
    pub(super) fn is_stalled(
        &mut self,
        reactor: &mut Reactor,
        id: Id,
        patience: Duration,
    ) -> Option<Stall> {
        let (patience, stall) = match self.stranger {
            Some(stranger) => (RECOGNITION, Stall::Strange(stranger)),
            None => (patience, Stall::Silence(patience)),
        };
        self.watch = None;
        if !self.socket.keeps_some() {
            return None;
        }
        if self.socket.is_noted() {
            // Others had this turn's share; the rest may be with the kernel already.
            self.arm(reactor, id, AGAIN);
            return None;
        }
        let silence = Duration::from_millis(reactor.now().saturating_sub(self.progress));
        if silence < patience {
            self.arm(reactor, id, patience - silence);
            return None;
        }
        Some(stall)
    }

    /// More of a long frame has come.
    pub(super) fn progress(&mut self, reactor: &Reactor) {
        self.progress = reactor.now();
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
