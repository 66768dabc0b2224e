//! The cluster: handles, connections, calls in flight, and what becomes of each.
//!
//! - `operations`: what scripts ask for: listen, connect, call, send, answer, close.
//! - `intake`: what connections bring; `traffic`: what listeners, dials and deadlines bring.
//! - `guard`, `arrival`, `credentials`: who is let in; `drain`: leaving in order; `stats`: what an operator sees.
//! - `peer`, `gate`, `link`, `request`: one of each thing there is; `queue`: requests that wait; `limits`:
//!   the bounds; `remarks`: how much is logged.
//!
//! Nothing in here knows Lua, and every way a request can end passes through
//! [`Cluster::conclude`], so each ends exactly once.

mod arrival;
mod credentials;
mod drain;
mod gate;
mod guard;
mod intake;
pub mod limits;
mod link;
mod operations;
mod pace;
mod peer;
mod queue;
mod remarks;
mod request;
mod stats;
mod traffic;

use crate::reactor::Reactor;
use crate::reactor::arena::Span;
use crate::reactor::event::{Event, Severity};
use crate::reason::Reason;
use crate::registry::{Id, Registry};
use crate::sessions::Sessions;
use crate::wire::{REQUEST_FIELDS, TooLarge};

use arrival::Arrival;
use drain::Drain;
use gate::Gate;
use guard::Guard;
use limits::Limits;
use link::Link;
use peer::{Peer, State};
use remarks::Remarks;
use request::{Request, Stage};

pub use gate::Terms;
pub use operations::{Listening, Submitted};
pub use request::{Ask, Kind};
pub use stats::{Present, Totals};

/// How a request ends.
enum Outcome {
    Answer(Span),
    Done,
    Failure(Reason),
}

/// All handles and connections of one Lua state.
#[derive(Default)]
pub struct Cluster {
    peers: Registry<Peer>,
    links: Registry<Link>,
    gates: Registry<Gate>,
    guard: Guard,
    credentials: credentials::Known,
    arrivals: Registry<Arrival>,
    /// The door that a handshake began at last.
    last_door: Option<Id>,
    /// What is logged of failed handshakes.
    remarks: Remarks<{ arrival::LINES }>,
    requests: Registry<Request>,
    sessions: Sessions<Id>,
    /// Links with bytes to write.
    dirty: Vec<Id>,
    limits: Limits,
    /// Requests given to the script whose handlers have not ended, also those whose connection is
    /// gone.
    handling: usize,
    /// The drains under way.
    drains: Vec<Drain>,
    totals: Totals,
}

impl Cluster {
    /// Has the next message numbered as if it were so far on; see [`Sessions::skip_to`].
    pub fn skip_to_session(&mut self, session: u32) {
        self.sessions.skip_to(session);
    }

    /// True when no table holds anything of a request.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty()
            && self.sessions.is_empty()
            && self.handling == 0
            && self.peers.iter().all(Peer::is_idle)
    }

    /// Ends a request: its deadline goes, and its event is on the way.
    fn conclude(&mut self, reactor: &mut Reactor, id: Id, outcome: Outcome) {
        let Some(request) = self.requests.get_mut(id) else { return };
        if matches!(std::mem::replace(&mut request.stage, Stage::Over), Stage::Over) {
            return;
        }
        reactor.disarm(request.deadline);
        reactor.push(match outcome {
            Outcome::Answer(data) => Event::Reply { request: id, data },
            Outcome::Done => Event::Done { request: id },
            Outcome::Failure(why) => Event::Failed { request: id, why },
        });
    }

    /// Ends a request that will never be sent. A connect does not fail: its handle will try again.
    fn give_up(&mut self, reactor: &mut Reactor, id: Id, why: &Reason) {
        let outcome = match self.requests.get(id) {
            Some(Request { kind: Kind::Connect, .. }) => Outcome::Done,
            _ => Outcome::Failure(why.clone()),
        };
        self.conclude(reactor, id, outcome);
    }

    /// Frees what an event stood for, when it is delivered.
    ///
    /// The Lua side keeps arrays by slot beside the tables here. The rule that both follow: a slot
    /// is freed here, and its place there, when the event that ends it is handed over, and not
    /// before; so no event ever finds somebody else in its slot.
    ///
    /// False when the script has closed the
    /// peer meanwhile and the event is not to be delivered any more.
    pub fn deliver(&mut self, event: &Event) -> bool {
        match event {
            Event::Reply { request, .. }
            | Event::Done { request }
            | Event::Failed { request, .. } => {
                self.requests.remove(*request);
                true
            }
            Event::Request { peer, .. } => {
                let wanted = self.peers.get(*peer).is_some();
                if !wanted {
                    self.handling = self.handling.saturating_sub(1);
                }
                wanted
            }
            Event::Connected { peer, .. } | Event::Accepted { peer, .. } => {
                self.peers.get(*peer).is_some()
            }
            Event::Closed { peer, .. } => {
                let Some(known) = self.peers.get(*peer) else { return false };
                // An accepted peer can never come back.
                if known.address.is_none() {
                    self.peers.remove(*peer);
                }
                true
            }
            _ => true, // not the cluster's
        }
    }

    /// An event that was delivered could not be handed over for want of memory: a message is lost, a
    /// call fails, a connection that came in is closed. What is returned is to be handed over in its
    /// place. Its text is one that every Lua holds ready.
    pub fn lose(&mut self, reactor: &mut Reactor, event: Event) -> Option<Event> {
        match event {
            Event::Request { fd, session, .. } => {
                // OK because no answer cannot be too large.
                let _ = self.respond(reactor, Id::from_bits(fd), session, None);
            }
            Event::Accepted { peer, .. } => self.close_peer(reactor, peer),
            Event::Reply { request, .. } | Event::Failed { request, .. } => {
                let why = Reason::Other("not enough memory".into());
                return Some(Event::Failed { request, why });
            }
            Event::Done { .. } => return Some(event),
            _ => {}
        }
        None
    }

    /// Queues a message on a connection. Its session opens only here, so that sessions count in
    /// the order of the wire.
    fn transmit(
        &mut self,
        reactor: &mut Reactor,
        link: Id,
        asker: Option<Id>,
        message: &Message<'_>,
    ) -> Result<(), TooLarge> {
        let Some(known) = self.links.get_mut(link) else { return Ok(()) };
        let wire = self.limits.wire(known.generation);
        let session = match asker {
            Some(request) => self.sessions.open(link.to_bits(), request),
            None => self.sessions.skip(),
        };
        let Message { cmd, trace, data } = *message;
        let encoded = wire.encode_request(known.socket.out(), session, cmd, trace, data);
        if encoded.is_err() {
            self.sessions.cancel(session);
            return encoded;
        }
        if let Some(request) = asker.and_then(|asker| self.requests.get_mut(asker)) {
            request.stage = Stage::Asked { session };
        }
        self.totals.requests_sent += 1;
        if self.limits.is_long(data.len() + REQUEST_FIELDS) {
            self.remark(reactor, link, data.len() + REQUEST_FIELDS, "request to");
        }
        self.soil(link);
        Ok(())
    }

    /// Warns of a long message, where the wire has those.
    #[cold]
    fn remark(&mut self, reactor: &mut Reactor, link: Id, len: usize, what: &str) {
        let softlimit = self.limits.softlimit;
        if let Some(known) = self.links.get_mut(link)
            && known.is_remarkable(len)
        {
            let remote = known.socket.remote();
            let text = format!(
                "[cluster] a {what} {remote} has {len} bytes, over the softlimit of {softlimit}"
            );
            reactor.log(Severity::Warning, text);
        }
    }

    /// True when another message may be queued on this connection. A handler's does not wait for
    /// answers, or two nodes whose handlers call each other back could wait for each other; how
    /// many of them there are is bounded by the handlers.
    fn has_room(&self, link: Id, in_handler: bool) -> bool {
        self.links.get(link).is_some_and(|known| {
            known.socket.is_writable()
                && known.socket.queued() < self.limits.highwater
                && (in_handler || self.sessions.count(link.to_bits()) < self.limits.calls)
        })
    }

    /// Notes that a connection has bytes to write, and writes a large batch early: holding all of
    /// it back to the end of the turn would make the two ends work in turns.
    fn soil(&mut self, link: Id) {
        let Some(known) = self.links.get_mut(link) else { return };
        if !known.dirty {
            known.dirty = true;
            self.dirty.push(link);
        }
        if known.socket.queued() >= known.pace.part() {
            known.socket.write();
        }
    }

    /// A connection has ended, not by the script's doing. The close callback comes before what
    /// the callers hear, so that whoever calls again finds the handle as it is.
    fn break_off(&mut self, reactor: &mut Reactor, link: Id, errno: i32) {
        self.fail_link(reactor, link, errno, &Reason::Closed);
    }

    /// The same, with what those hear who wait on it.
    fn fail_link(&mut self, reactor: &mut Reactor, link: Id, errno: i32, why: &Reason) {
        let Some(known) = self.remove_link(link) else { return };
        let owner = known.peer;
        if !known.retire(reactor) {
            return;
        }
        reactor.push(Event::Closed { peer: owner, errno });
        self.abandon(reactor, link, why);
        if let Some(peer) = self.peers.get_mut(owner) {
            peer.state = State::Down;
            for request in peer.dequeue_all() {
                self.give_up(reactor, request, why);
            }
        }
    }

    /// Fails every call that waits for an answer on this connection.
    fn abandon(&mut self, reactor: &mut Reactor, link: Id, why: &Reason) {
        let mut asked = Vec::new();
        self.sessions.abandon(link.to_bits(), |request| asked.push(request));
        for request in asked {
            self.conclude(reactor, request, Outcome::Failure(why.clone()));
        }
    }
}

/// A request's parts on their way to the wire.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub cmd: u32,
    pub trace: u64,
    pub data: &'a [u8],
}
