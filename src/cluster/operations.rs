//! What scripts ask of the cluster.

use std::sync::Arc;
use std::time::Duration;

use crate::net::address::Address;
use crate::net::endpoint::Endpoint;
use crate::net::errno;
use crate::net::listener::Listener;
use crate::net::tls::{Credentials, Names};
use crate::reactor::door::Door;
use crate::reactor::inbox::{Key, Owner};
use crate::reactor::{Alarm, Reactor, Refusal};
use crate::reason::Reason;
use crate::registry::Id;
use crate::wire::{Generation, RESPONSE_FIELDS, TooLarge};

use super::gate::{Gate, Terms};
use super::limits::Limits;
use super::peer::{Peer, State};
use super::request::{Ask, Kind, Request, Stage, Unsent};
use super::{Cluster, Message};

/// The addresses of a name share at least so much time.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// A listener that was opened.
#[derive(Debug, Clone)]
pub struct Listening {
    pub id: Id,
    /// The address really bound.
    pub local: Endpoint,
}

/// What became of a request at once.
#[derive(Debug)]
pub enum Submitted {
    /// It is queued on the connection, and nothing more will be heard of it.
    Sent,
    /// An event will say how it ended.
    Waiting(Id),
    /// It will not be sent.
    Refused(Reason),
}

impl Cluster {
    /// Sets the bounds for everything from now on; how long peers may be silent, for connections
    /// that are made from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        for gate in self.gates.iter() {
            gate.door.keep_alive(limits.keepalive);
        }
        self.let_others_begin();
        // Where requests wait there may be room now, which the next look at each finds.
        for peer in self.peers.iter().filter(|peer| !peer.is_idle()) {
            if let State::Up { link } = peer.state
                && let Some(link) = self.links.get(link)
            {
                link.socket.note();
            }
        }
    }

    /// Listens; synchronous. The reason carries the address.
    pub fn listen(
        &mut self,
        reactor: &mut Reactor,
        endpoint: &Endpoint,
        terms: Terms,
    ) -> Result<Listening, String> {
        let bound = reactor.enter(|| Listener::bind(endpoint, terms.backlog, terms.mode));
        let listener = bound
            .map_err(|refusal| refusal.to_string())?
            .map_err(|error| format!("listen {endpoint}: {}", errno::reason(&error)))?;
        listener.keep_alive(self.limits.keepalive);
        let local = listener.local().clone();
        let id = self.gates.insert_with(|id| Gate {
            door: Door::new(listener, reactor.source(Key::Door(id.slot()))),
            generation: terms.generation,
            tls: terms.tls,
        });
        Ok(Listening { id, local })
    }

    /// Stops listening. Connections taken in before stay, but for those in their handshake.
    pub fn close_listener(&mut self, listener: Id) {
        self.gates.remove(listener);
        self.turn_away(listener);
    }

    /// Makes a handle, without dialling.
    pub fn open(
        &mut self,
        address: Address,
        generation: Generation,
        tls: Option<Arc<Credentials>>,
    ) -> Id {
        self.peers.insert(Peer::outgoing(address, generation, tls))
    }

    /// The names in the certificate that the other end has shown, of the last connection.
    pub fn names(&self, peer: Id) -> Option<Names> {
        self.peers.get(peer)?.names.clone()
    }

    /// Waits for a handle's dial, which is started if there is none. `Sent` when the handle is
    /// connected already.
    pub fn join(&mut self, reactor: &mut Reactor, peer: Id, timeout: u64) -> Submitted {
        match self.peers.get(peer) {
            None => Submitted::Refused(Reason::PeerClosed),
            Some(Peer { state: State::Up { .. }, .. }) => Submitted::Sent,
            Some(_) => match self.dial(reactor, peer, timeout) {
                Ok(()) => {
                    // It waits for the dial only, and so comes before callers who wait for answers.
                    let ask = Ask { kind: Kind::Connect, peer, in_handler: true, timeout };
                    self.enqueue(reactor, ask, None)
                }
                Err(refusal) => Submitted::Refused(refusal.to_string().into()),
            },
        }
    }

    /// True while a handle's dial is under way.
    pub fn is_dialing(&self, peer: Id) -> bool {
        matches!(self.peers.get(peer), Some(Peer { state: State::Dialing { .. }, .. }))
    }

    /// Sends a message, with an answer to wait for or without.
    pub fn submit(&mut self, reactor: &mut Reactor, ask: Ask, message: &Message<'_>) -> Submitted {
        let Ask { kind, peer, in_handler, timeout } = ask;
        let Some(known) = self.peers.get(peer) else {
            return Submitted::Refused(Reason::PeerClosed);
        };
        if reactor.is_forked() {
            return Submitted::Refused(Refusal::Forked.to_string().into()); // the socket is shared
        }
        let wire = self.limits.wire(known.generation);
        if let Err(too_large) = wire.check_request(message.data.len()) {
            return Submitted::Refused(too_large.to_string().into());
        }
        match known.state {
            State::Up { link } if known.is_free(in_handler) && self.has_room(link, in_handler) => {
                let asker =
                    (kind == Kind::Call).then(|| self.admit(reactor, ask, Stage::Waiting(None)));
                // OK because the size was looked at above.
                let _ = self.transmit(reactor, link, asker, message);
                return asker.map_or(Submitted::Sent, Submitted::Waiting);
            }
            State::Up { .. } | State::Dialing { .. } => {}
            State::Down => {
                if known.address.is_none() {
                    return Submitted::Refused(Reason::PeerClosed);
                }
                if let Some(why) = known.pausing(reactor.now()) {
                    return Submitted::Refused(why.clone());
                }
                if let Err(refusal) = self.dial(reactor, peer, timeout) {
                    return Submitted::Refused(refusal.to_string().into());
                }
            }
        }
        let unsent = Unsent { cmd: message.cmd, trace: message.trace, data: message.data.into() };
        self.enqueue(reactor, ask, Some(Box::new(unsent)))
    }

    /// Ends the request in a slot as its deadline would: whoever asked is gone. Its event is still
    /// delivered, because that is what frees the slot.
    pub fn withdraw(&mut self, reactor: &mut Reactor, slot: u32) {
        if let Some(request) = self.requests.at(slot) {
            self.expire(reactor, request);
        }
    }

    /// Takes a request in and lets it wait in its peer's queue.
    fn enqueue(
        &mut self,
        reactor: &mut Reactor,
        ask: Ask,
        unsent: Option<Box<Unsent>>,
    ) -> Submitted {
        let id = self.admit(reactor, ask, Stage::Waiting(unsent));
        if let Some(known) = self.peers.get_mut(ask.peer) {
            known.queue(ask.in_handler).push(id);
        }
        Submitted::Waiting(id)
    }

    fn admit(&mut self, reactor: &mut Reactor, ask: Ask, stage: Stage) -> Id {
        let Ask { kind, peer, in_handler, timeout } = ask;
        self.requests.insert_with(|id| Request {
            kind,
            peer,
            in_handler,
            deadline: reactor.arm(timeout, Alarm::Request(id)),
            stage,
        })
    }

    /// Starts a dial unless one is under way; everybody who needs the connection shares it.
    fn dial(&mut self, reactor: &mut Reactor, peer: Id, timeout: u64) -> Result<(), Refusal> {
        let Some(Peer { state: state @ State::Down, address: Some(address), tls, .. }) =
            self.peers.get_mut(peer)
        else {
            return Ok(());
        };
        // Others with more patience may join the first caller.
        let patience = Duration::from_millis(timeout).max(LEAST_PATIENCE);
        let (job, abort) =
            reactor.dial(Owner::Peer(peer), address.clone(), patience, tls.clone())?;
        *state = State::Dialing { job, abort };
        Ok(())
    }

    /// A request has been handled: `answer` goes to the connection it came by, unless that is gone
    /// or closed. `None` ends it without an answer. One that is too large ends nothing.
    pub fn respond(
        &mut self,
        reactor: &mut Reactor,
        link: Id,
        session: u32,
        answer: Option<&[u8]>,
    ) -> Result<(), TooLarge> {
        let mut known = self.links.get_mut(link);
        let generation = known.as_ref().map_or(Generation::default(), |known| known.generation);
        let wire = self.limits.wire(generation);
        if let Some(data) = answer {
            wire.check_response(data.len())?;
        }
        self.handling = self.handling.saturating_sub(1);
        if let Some(known) = &mut known {
            known.handling = known.handling.saturating_sub(1);
        }
        let Some(data) = answer else { return Ok(()) };
        let Some(known) = known.filter(|known| known.socket.is_open()) else {
            self.totals.drops += 1;
            return Ok(());
        };
        // Before this one, which may be longer than all that should ever be queued.
        let queued = known.socket.queued();
        wire.encode_response(known.socket.out(), session, data)?;
        self.totals.responses_sent += 1;
        if self.limits.is_long(data.len() + RESPONSE_FIELDS) {
            self.remark(reactor, link, data.len() + RESPONSE_FIELDS, "response to");
        }
        self.soil(link);
        if queued > self.limits.answers {
            self.totals.overloads += 1;
            self.refuse(reactor, link, libc::ENOBUFS, "it does not read its answers");
        }
        Ok(())
    }

    /// Closes a handle for good. What was queued is still written, within a bound; calls that wait
    /// on it end at once.
    pub fn close_peer(&mut self, reactor: &mut Reactor, peer: Id) {
        let Some(mut known) = self.peers.remove(peer) else { return };
        let why = match known.state {
            State::Down => Reason::PeerClosed,
            State::Dialing { ref abort, .. } => {
                abort.abort();
                Reason::PeerClosed
            }
            State::Up { link } => {
                if let Some(known) = self.links.get_mut(link) {
                    known.close(reactor, link);
                }
                self.abandon(reactor, link, &Reason::Closed);
                Reason::Closed
            }
        };
        for request in known.dequeue_all() {
            self.give_up(reactor, request, &why);
        }
    }

    /// Closes everything, as [`close_peer`](Self::close_peer) and
    /// [`close_listener`](Self::close_listener) do.
    pub fn close_all(&mut self, reactor: &mut Reactor) {
        for gate in self.gates.ids() {
            self.close_listener(gate);
        }
        for peer in self.peers.ids() {
            self.close_peer(reactor, peer);
        }
    }
}
