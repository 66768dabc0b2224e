//! A handle that scripts hold: an address that can be dialled, or a connection that came in.

use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::net::address::Address;
use crate::net::tls::{Credentials, Names};
use crate::reason::Reason;
use crate::registry::Id;
use crate::wire::Generation;

use super::queue::Queue;

/// After a failed dial the next ones fail at once with the same reason for this long, in
/// milliseconds, doubling up to the limit: a crowd of callers must not become a crowd of dials.
const PAUSE_FIRST: u64 = 50;
const PAUSE_LIMIT: u64 = 500;

/// How a handle stands.
#[derive(Debug)]
pub(super) enum State {
    Down,
    Dialing { job: u64, abort: AbortHandle },
    Up { link: Id },
}

/// The last failed dial.
#[derive(Debug)]
struct Failure {
    why: Reason,
    pause: u64,
    until: u64,
}

/// One handle.
#[derive(Debug)]
pub(super) struct Peer {
    /// Where to dial; accepted peers have none.
    pub(super) address: Option<Address>,
    /// What its connections speak.
    pub(super) generation: Generation,
    /// Whether they are dialled with TLS.
    pub(super) tls: Option<Arc<Credentials>>,
    /// The names in the certificate that the other end of the last connection has shown.
    pub(super) names: Option<Names>,
    pub(super) state: State,
    of_handlers: Queue,
    ordinary: Queue,
    failure: Option<Failure>,
    /// It has been connected before.
    known: bool,
}

impl Peer {
    /// A handle that can connect, and will connect again.
    pub(super) fn outgoing(
        address: Address,
        generation: Generation,
        tls: Option<Arc<Credentials>>,
    ) -> Peer {
        Peer {
            address: Some(address),
            generation,
            tls,
            names: None,
            state: State::Down,
            of_handlers: Queue::default(),
            ordinary: Queue::default(),
            failure: None,
            known: false,
        }
    }

    /// The handle of a connection that came in, which is yet to be set.
    pub(super) fn accepted(generation: Generation) -> Peer {
        Peer {
            address: None,
            generation,
            tls: None,
            names: None,
            state: State::Down,
            of_handlers: Queue::default(),
            ordinary: Queue::default(),
            failure: None,
            known: true,
        }
    }

    /// Where requests wait for the dial or for room.
    ///
    /// Those of handlers have a queue of their own, which comes first: an ordinary caller waits
    /// until earlier calls are answered, and the other end's handler, in answering one, may wait
    /// for this very handler.
    pub(super) fn queue(&mut self, in_handler: bool) -> &mut Queue {
        if in_handler { &mut self.of_handlers } else { &mut self.ordinary }
    }

    /// The request whose turn it is, which may be over, and whether a handler made it.
    pub(super) fn first(&self) -> Option<(Id, bool)> {
        let of_handlers = self.of_handlers.first().map(|request| (request, true));
        of_handlers.or_else(|| self.ordinary.first().map(|request| (request, false)))
    }

    /// True when nobody would be overtaken.
    pub(super) fn is_free(&self, in_handler: bool) -> bool {
        self.of_handlers.is_empty() && (in_handler || self.ordinary.is_empty())
    }

    /// True when nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.is_free(false)
    }

    /// Takes out all that wait.
    pub(super) fn dequeue_all(&mut self) -> impl Iterator<Item = Id> + use<> {
        self.of_handlers.take().into_iter().chain(self.ordinary.take())
    }

    /// Remembers a failed dial.
    pub(super) fn failed(&mut self, why: Reason, now: u64) {
        let pause = match &self.failure {
            Some(last) => (last.pause * 2).min(PAUSE_LIMIT),
            None => PAUSE_FIRST,
        };
        self.failure = Some(Failure { why, pause, until: now + pause });
    }

    /// A dial has succeeded. True when it was not the first.
    pub(super) fn succeeded(&mut self) -> bool {
        if self.tls.is_none() {
            self.forget_failures(); // else the other end may yet refuse this one
        }
        std::mem::replace(&mut self.known, true)
    }

    /// The other end has let this one in.
    pub(super) fn forget_failures(&mut self) {
        self.failure = None;
    }

    /// Why a dial now would not be tried.
    pub(super) fn pausing(&self, now: u64) -> Option<&Reason> {
        self.failure.as_ref().filter(|last| now < last.until).map(|last| &last.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_limit_and_a_success_ends_it() {
        let mut peer = Peer::outgoing("127.0.0.1:1".parse().unwrap(), Generation::One, None);
        assert_eq!(peer.pausing(0), None);
        let mut now = 0;
        for pause in [50, 100, 200, 400, 500, 500] {
            peer.failed(Reason::Closed, now);
            assert_eq!(peer.pausing(now + pause - 1), Some(&Reason::Closed));
            now += pause;
            assert_eq!(peer.pausing(now), None);
        }
        peer.succeeded();
        peer.failed(Reason::Timeout, now);
        assert_eq!(peer.pausing(now + 49), Some(&Reason::Timeout));
        assert_eq!(peer.pausing(now + 50), None);
    }
}
