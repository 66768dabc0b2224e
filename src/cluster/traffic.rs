//! What listeners, dials and deadlines bring to the cluster, and when what waits is sent.

use crate::net::connection::Connection;
use crate::net::endpoint::Endpoint;
use crate::net::transport::Transport;
use crate::reactor::event::{Event, Severity};
use crate::reactor::inbox::{Dialed, Key};
use crate::reactor::socket::Socket;
use crate::reactor::{Alarm, Reactor};
use crate::reason::Reason;
use crate::registry::Id;
use crate::wire::Generation;

use super::link::Link;
use super::peer::{Peer, State};
use super::request::{Kind, Request, Stage};
use super::{Cluster, Message, Outcome};

impl Cluster {
    /// A listener's waker has spoken.
    pub fn door_ready(&mut self, reactor: &mut Reactor, slot: u32) {
        let Some(id) = self.gates.at(slot) else { return };
        let Some(gate) = self.gates.get_mut(id) else { return };
        let (generation, tls) = (gate.generation, gate.tls.clone());
        let room = self.limits.handshakes.saturating_sub(self.arrivals.len());
        if tls.is_some() && room == 0 {
            return gate.door.rest(); // the end of a handshake notes it again
        }
        let mut most = self.guard.allowance(reactor.now(), &self.limits);
        if most == 0 {
            reactor.arm(self.guard.pause(&self.limits), Alarm::Door(id));
            return gate.door.rest();
        }
        if tls.is_some() {
            most = most.min(room);
        }
        let guests = gate.door.accept(reactor, Alarm::Door(id), most);
        self.guard.spend(guests.len());
        for (stream, remote) in guests {
            match self.guard.admit(&remote, &self.limits) {
                Ok(()) => match &tls {
                    Some(tls) => self.greet(reactor, id, stream, remote, generation, tls),
                    None => self.welcome(reactor, stream, remote, generation),
                },
                Err(why) => {
                    self.totals.refused_connections += 1;
                    if let Some(text) = self.guard.remark(reactor.now(), &remote, why) {
                        reactor.log(Severity::Error, text);
                    }
                }
            }
        }
    }

    /// A listener that could not accept has rested.
    pub fn reopen(&mut self, gate: Id) {
        if let Some(gate) = self.gates.get(gate) {
            gate.door.note();
        }
    }

    /// A closing connection has had its time.
    pub fn drop_link(&mut self, link: Id) {
        self.remove_link(link);
    }

    /// A handle's dial has ended.
    pub fn dialed(&mut self, reactor: &mut Reactor, peer: Id, dialed: Dialed) {
        let generation = match self.peers.get(peer) {
            Some(Peer { state: State::Dialing { job, .. }, generation, .. })
                if *job == dialed.job =>
            {
                *generation
            }
            // Closed meanwhile, or given up: nobody wants this connection.
            _ => return,
        };
        match dialed.outcome {
            Ok((stream, remote)) => {
                let connection = Connection::new(stream, remote.clone());
                if let Some(limit) = self.limits.keepalive {
                    connection.keep_alive(limit);
                }
                let link = self.establish(reactor, peer, connection, generation, false);
                self.totals.connects += 1;
                if let Some(known) = self.peers.get_mut(peer)
                    && known.succeeded()
                {
                    self.totals.reconnects += 1;
                }
                reactor.push(Event::Connected { peer, fd: link.to_bits(), remote });
                self.pump(reactor, peer);
            }
            Err(text) => {
                let why = Reason::from(text);
                let now = reactor.now();
                let Some(known) = self.peers.get_mut(peer) else { return };
                known.state = State::Down;
                known.failed(why.clone(), now);
                for request in known.dequeue_all() {
                    self.give_up(reactor, request, &why);
                }
            }
        }
    }

    /// Writes whatever is queued.
    pub fn flush(&mut self, reactor: &mut Reactor) {
        // Writing makes room, and room lets more be queued, until the kernel takes no more.
        while let Some(link) = self.dirty.pop() {
            let Some(known) = self.links.get_mut(link) else { continue };
            known.dirty = false;
            known.pace.turn_over(known.socket.sent() + known.socket.queued() as u64);
            known.socket.write();
            let peer = known.peer;
            self.pump(reactor, peer);
        }
        if self.is_draining() {
            self.look_whether_drained(reactor);
        }
    }

    /// True while a connection, a listener, a handshake or a request is there.
    pub fn is_alive(&self) -> bool {
        !(self.links.is_empty()
            && self.gates.is_empty()
            && self.arrivals.is_empty()
            && self.requests.is_empty())
    }

    /// Makes `connection` the one of `peer`.
    fn establish(
        &mut self,
        reactor: &Reactor,
        peer: Id,
        connection: Connection,
        generation: Generation,
        incoming: bool,
    ) -> Id {
        let names = connection.names().cloned();
        let link = self.links.insert_with(|id| {
            let source = reactor.source(Key::Link(id.slot()));
            Link::new(peer, Socket::new(connection, source), generation, incoming)
        });
        if let Some(known) = self.peers.get_mut(peer) {
            known.state = State::Up { link };
            known.names = names;
        }
        link
    }

    /// Takes a connection in. It may be gone already, but what it brought is still there.
    pub(super) fn welcome(
        &mut self,
        reactor: &mut Reactor,
        stream: Transport,
        remote: Endpoint,
        generation: Generation,
    ) {
        let connection = Connection::accepted(stream, remote.clone(), self.limits.keepalive);
        let peer = self.peers.insert(Peer::accepted(generation));
        let link = self.establish(reactor, peer, connection, generation, true);
        self.totals.accepts += 1;
        reactor.push(Event::Accepted { peer, fd: link.to_bits(), remote });
    }

    /// Sends what waits for room, as far as there is some.
    pub(super) fn pump(&mut self, reactor: &mut Reactor, peer: Id) {
        loop {
            let Some(known) = self.peers.get_mut(peer) else { return };
            let (&State::Up { link }, Some((first, in_handler))) = (&known.state, known.first())
            else {
                return;
            };
            if !self.has_room(link, in_handler) {
                return;
            }
            let next = match self.requests.get_mut(first) {
                Some(Request { kind, stage: Stage::Waiting(unsent), .. }) => {
                    Some((*kind, unsent.take()))
                }
                _ => None, // over meanwhile
            };
            if let Some(known) = self.peers.get_mut(peer) {
                known.queue(in_handler).pop(next.is_none());
            }
            let Some((kind, unsent)) = next else { continue };
            if let Some(unsent) = unsent {
                let message = Message { cmd: unsent.cmd, trace: unsent.trace, data: &unsent.data };
                let asker = (kind == Kind::Call).then_some(first);
                if let Err(too_large) = self.transmit(reactor, link, asker, &message) {
                    // The limit was lowered meanwhile.
                    let why = Reason::from(too_large.to_string());
                    self.conclude(reactor, first, Outcome::Failure(why));
                    continue;
                }
            }
            if kind != Kind::Call {
                self.conclude(reactor, first, Outcome::Done);
            }
        }
    }

    /// A request's deadline has come.
    pub fn time_out(&mut self, reactor: &mut Reactor, id: Id) {
        let Some(request) = self.requests.get(id) else { return };
        if request.kind != Kind::Drain && !matches!(request.stage, Stage::Over) {
            self.totals.timeouts += 1;
        }
        self.expire(reactor, id);
    }

    /// Ends a request that is not to be waited for any longer, however far it has come.
    pub(super) fn expire(&mut self, reactor: &mut Reactor, id: Id) {
        let Some(request) = self.requests.get(id) else { return };
        let Request { peer, in_handler, .. } = *request;
        match request.stage {
            Stage::Asked { session } => {
                self.sessions.cancel(session);
                self.conclude(reactor, id, Outcome::Failure(Reason::Timeout));
                // Its place among the unanswered is free.
                self.pump(reactor, peer);
            }
            Stage::Waiting(_) => {
                self.give_up(reactor, id, &Reason::Timeout);
                let requests = &self.requests;
                let Some(known) = self.peers.get_mut(peer) else { return };
                known.queue(in_handler).one_is_over(|id| {
                    !matches!(requests.get(id), Some(Request { stage: Stage::Waiting(_), .. }))
                });
                // A dial lives as long as somebody waits for it.
                if known.is_idle()
                    && let State::Dialing { abort, .. } = &known.state
                {
                    abort.abort();
                    known.state = State::Down;
                }
            }
            Stage::Over => {}
        }
    }
}
