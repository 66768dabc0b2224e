//! Leaving in order: nothing new is taken in, what was begun is finished, its answers leave.

use crate::reactor::{Alarm, Reactor};
use crate::registry::Id;

use super::request::{Kind, Request, Stage};
use super::{Cluster, Outcome};

/// One under way.
pub(super) struct Drain {
    request: Id,
    /// A handler has asked for it, which cannot end before it.
    by_handler: bool,
}

impl Cluster {
    /// Stops listening and handling new requests. The request returned ends once every handler has
    /// ended, but for those that drain themselves, and every answer is with the kernel, or fails at
    /// its deadline. It is up to the caller to close what is left then and to call
    /// [`end_drain`](Self::end_drain).
    pub fn drain(&mut self, reactor: &mut Reactor, timeout: u64, by_handler: bool) -> Id {
        for gate in self.gates.ids() {
            self.close_listener(gate);
        }
        let request = self.requests.insert_with(|id| Request {
            kind: Kind::Drain,
            peer: Id::from_bits(0), // of all peers
            in_handler: by_handler,
            deadline: reactor.arm(timeout, Alarm::Request(id)),
            stage: Stage::Waiting(None),
        });
        self.drains.push(Drain { request, by_handler });
        request
    }

    /// Takes requests in again, unless another drain is under way.
    pub fn end_drain(&mut self, drain: Id) {
        self.drains.retain(|known| known.request != drain);
    }

    /// True from [`drain`](Self::drain) to [`end_drain`](Self::end_drain).
    pub(super) fn is_draining(&self) -> bool {
        !self.drains.is_empty()
    }

    /// True when a request that has arrived is not to be handled, which is counted.
    pub(super) fn drop_request(&mut self) -> bool {
        let draining = self.is_draining();
        self.totals.drops += u64::from(draining);
        draining
    }

    /// Ends the drains once there is nothing left to wait for.
    pub(super) fn look_whether_drained(&mut self, reactor: &mut Reactor) {
        let draining = self.drains.iter().filter(|drain| drain.by_handler).count();
        let busy = self.handling > draining
            || self.links.iter().any(|link| link.socket.is_writable() && link.socket.queued() > 0);
        if !busy {
            let requests: Vec<_> = self.drains.iter().map(|drain| drain.request).collect();
            for request in requests {
                self.conclude(reactor, request, Outcome::Done);
            }
        }
    }
}
