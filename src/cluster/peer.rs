//! A handle that scripts hold: an address that can be dialled, or a connection that came in.

use std::collections::VecDeque;

use tokio::task::AbortHandle;

use crate::net::address::Address;
use crate::reason::Reason;
use crate::registry::Id;

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
    pub(super) state: State,
    /// Requests that wait for the dial or for room, oldest first; some may be over already.
    waiting: VecDeque<Id>,
    /// How many of them are over.
    over: usize,
    failure: Option<Failure>,
    /// It has been connected before.
    known: bool,
}

impl Peer {
    /// A handle that can connect, and will connect again.
    pub(super) fn outgoing(address: Address) -> Peer {
        Peer {
            address: Some(address),
            state: State::Down,
            waiting: VecDeque::new(),
            over: 0,
            failure: None,
            known: false,
        }
    }

    /// The handle of a connection that came in, which is yet to be set.
    pub(super) fn accepted() -> Peer {
        Peer {
            address: None,
            state: State::Down,
            waiting: VecDeque::new(),
            over: 0,
            failure: None,
            known: true,
        }
    }

    /// Lets a request wait its turn.
    pub(super) fn enqueue(&mut self, request: Id) {
        self.waiting.push_back(request);
    }

    /// The request whose turn it is; it may be over.
    pub(super) fn first(&self) -> Option<Id> {
        self.waiting.front().copied()
    }

    /// Takes the first one, which may be over, out of the queue.
    pub(super) fn dequeue(&mut self, is_over: bool) {
        self.waiting.pop_front();
        if is_over {
            self.over = self.over.saturating_sub(1);
        }
    }

    /// Takes all out, oldest first.
    pub(super) fn dequeue_all(&mut self) -> VecDeque<Id> {
        self.over = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Notes that a waiting request is over. It is not searched for: the queue is swept when half
    /// of it is over, so that any number of timeouts costs a constant each.
    pub(super) fn one_is_over(&mut self, is_over: impl Fn(Id) -> bool) {
        self.over += 1;
        if self.over * 2 > self.waiting.len() {
            self.waiting.retain(|request| !is_over(*request));
            self.over = 0;
        }
    }

    /// True when nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Remembers a failed dial.
    pub(super) fn failed(&mut self, why: Reason, now: u64) {
        let pause = match &self.failure {
            Some(last) => (last.pause * 2).min(PAUSE_LIMIT),
            None => PAUSE_FIRST,
        };
        self.failure = Some(Failure { why, pause, until: now + pause });
    }

    /// Forgets failures: a dial has succeeded. True when it was not the first.
    pub(super) fn succeeded(&mut self) -> bool {
        self.failure = None;
        std::mem::replace(&mut self.known, true)
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
        let mut peer = Peer::outgoing("127.0.0.1:1".parse().unwrap());
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
