//! What sockets, dials and deadlines bring to the cluster.

use crate::net::connection::Connection;
use crate::net::endpoint::Endpoint;
use crate::net::transport::Transport;
use crate::reactor::arena::Span;
use crate::reactor::event::{Event, Severity};
use crate::reactor::inbox::{Dialed, Key};
use crate::reactor::socket::{Read, Socket};
use crate::reactor::{Alarm, Reactor};
use crate::reason::Reason;
use crate::registry::Id;
use crate::wire::{Frame, Front, Generation, Head, REQUEST_FIELDS, RESPONSE_FIELDS};

use super::link::{Link, Stall};
use super::peer::{Peer, State};
use super::request::{Kind, Request, Stage};
use super::{Cluster, Message, Outcome};

/// Frames taken from one connection in a turn, before others get theirs. Each costs Lua about a
/// microsecond, and whoever asks meanwhile waits for all of them; with fewer, turns would cost more
/// than what they do.
const SHARE: usize = 512;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receipt {
    /// An event refers to its data.
    Passed,
    /// Nobody is told of it.
    Dropped,
    /// It was one too much: its connection is gone.
    Refused,
}

impl Cluster {
    /// A connection's waker has spoken.
    pub fn link_ready(&mut self, reactor: &mut Reactor, slot: u32) {
        if let Some(link) = self.links.at(slot) {
            self.serve_link(reactor, link);
        }
    }

    /// A listener's waker has spoken.
    pub fn door_ready(&mut self, reactor: &mut Reactor, slot: u32) {
        let Some(id) = self.gates.at(slot) else { return };
        let Some(gate) = self.gates.get_mut(id) else { return };
        let generation = gate.generation;
        let most = self.guard.allowance(reactor.now(), &self.limits);
        if most == 0 {
            reactor.arm(self.guard.pause(&self.limits), Alarm::Door(id));
            return gate.door.rest();
        }
        let guests = gate.door.accept(reactor, Alarm::Door(id), most);
        self.guard.spend(guests.len());
        for (stream, remote) in guests {
            match self.guard.admit(&remote, &self.limits) {
                Ok(()) => self.welcome(reactor, stream, remote, generation),
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

    /// The rest of a frame has had its time.
    pub fn look_for_rest(&mut self, reactor: &mut Reactor, link: Id) {
        let patience = self.limits.patience();
        let Some(known) = self.links.get_mut(link) else { return };
        match known.is_stalled(reactor, link, patience) {
            Some(Stall::Silence(patience)) => {
                self.totals.refused_frames += 1;
                let text = format!("the rest of a frame has not come for {} s", patience.as_secs());
                self.refuse(reactor, link, libc::ETIMEDOUT, &text);
            }
            Some(Stall::Foreign) => self.refuse_foreign(reactor, link),
            None => {}
        }
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

    /// True while a connection, a listener or a request is there.
    pub fn is_alive(&self) -> bool {
        !(self.links.is_empty() && self.gates.is_empty() && self.requests.is_empty())
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
        let link = self.links.insert_with(|id| {
            let source = reactor.source(Key::Link(id.slot()));
            Link::new(peer, Socket::new(connection, source), generation, incoming)
        });
        if let Some(known) = self.peers.get_mut(peer) {
            known.state = State::Up { link };
        }
        link
    }

    /// Takes a connection in. It may be gone already, but what it brought is still there.
    fn welcome(
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

    fn serve_link(&mut self, reactor: &mut Reactor, link: Id) {
        let Some(known) = self.links.get_mut(link) else { return };
        let peer = known.peer;
        if let Err(errno) = known.socket.attend() {
            return self.break_off(reactor, link, errno);
        }
        let mut share = SHARE;
        loop {
            let Some(known) = self.links.get_mut(link) else { return };
            match known.socket.read(reactor) {
                Read::Nothing => break,
                Read::End { errno } => return self.break_off(reactor, link, errno),
                Read::Bytes { start, more } => {
                    self.digest(reactor, link, start, &mut share);
                    if more || share == 0 {
                        break;
                    }
                }
                Read::Part { more } => {
                    known.progress(reactor);
                    if more {
                        break;
                    }
                }
                Read::Message(bytes) => {
                    self.digest_long(reactor, link, bytes);
                    break;
                }
            }
        }
        self.pump(reactor, peer);
    }

    /// Takes the frames out of what has arrived since `start`, no more than `share`, and keeps the
    /// rest for later.
    fn digest(&mut self, reactor: &mut Reactor, link: Id, start: usize, share: &mut usize) {
        let Some(known) = self.links.get(link) else { return };
        let wire = self.limits.wire(known.generation);
        let mut fresh = known.fresh;
        let foreign = fresh
            && reactor.arena.from(start).is_some_and(|first| {
                self.limits.wire(known.generation.other()).fits(first) && !wire.fits(first)
            });
        let mut position = start;
        // Up to where events refer to the arena. What nobody is told of takes no place in it: others are
        // still to read.
        let mut wanted = start;
        loop {
            let Some(arrived) = reactor.arena.from(position) else { return };
            if *share == 0 {
                if let Some(known) = self.links.get_mut(link) {
                    known.socket.defer(arrived);
                }
                return reactor.arena.truncate(wanted);
            }
            let (Frame { head, data }, used) = match wire.decode(arrived) {
                Ok(Front::Partial(whole)) => {
                    if let Some(known) = self.links.get_mut(link)
                        && !arrived.is_empty()
                    {
                        known.socket.keep(arrived, whole);
                        known.expect_rest(reactor, link, self.limits.patience(), foreign);
                    }
                    return reactor.arena.truncate(wanted);
                }
                _ if foreign => return self.refuse_foreign(reactor, link),
                Ok(Front::Frame(frame, used)) => (frame, used),
                Err(violation) => return self.refuse_bytes(reactor, link, &violation.to_string()),
            };
            if std::mem::take(&mut fresh)
                && let Some(known) = self.links.get_mut(link)
            {
                known.fresh = false;
            }
            let at = position + (data.as_ptr() as usize - arrived.as_ptr() as usize);
            let data = reactor.arena.span(at, data.len());
            *share -= 1;
            position += used;
            match self.receive(reactor, link, head, data) {
                Receipt::Passed => wanted = position,
                Receipt::Dropped => {}
                Receipt::Refused => return,
            }
        }
    }
    /// Takes in a message that was gathered because of its length.
    fn digest_long(&mut self, reactor: &mut Reactor, link: Id, bytes: Vec<u8>) {
        let Some(known) = self.links.get_mut(link) else { return };
        known.fresh = false;
        match self.limits.wire(known.generation).decode(&bytes) {
            Ok(Front::Frame(Frame { head, data }, _)) => {
                let start = data.as_ptr() as usize - bytes.as_ptr() as usize;
                let len = data.len();
                let data = reactor.arena.adopt(bytes, start, len);
                self.receive(reactor, link, head, data);
            }
            // Its length is as its prefix says: that is how it was gathered.
            Ok(Front::Partial(_)) => {}
            Err(violation) => self.refuse_bytes(reactor, link, &violation.to_string()),
        }
    }

    /// Takes in one message.
    fn receive(&mut self, reactor: &mut Reactor, link: Id, head: Head, data: Span) -> Receipt {
        match head {
            Head::Request { session, cmd, trace } => {
                self.totals.requests_received += 1;
                if self.limits.is_long(data.size() + REQUEST_FIELDS) {
                    self.remark(reactor, link, data.size() + REQUEST_FIELDS, "request from");
                }
                if self.drop_request() {
                    return Receipt::Dropped;
                }
                let Some(known) = self.links.get_mut(link) else { return Receipt::Refused };
                self.handling += 1;
                known.handling += 1;
                let (peer, handling) = (known.peer, known.handling);
                let fd = link.to_bits();
                reactor.push(Event::Request { peer, fd, session, cmd, trace, data });
                if handling > self.limits.requests {
                    self.totals.overloads += 1;
                    let text = format!("{handling} of its requests are unfinished");
                    self.refuse(reactor, link, libc::ENOBUFS, &text);
                    return Receipt::Refused;
                }
                Receipt::Passed
            }
            Head::Response { session } => {
                if self.limits.is_long(data.size() + RESPONSE_FIELDS) {
                    self.remark(reactor, link, data.size() + RESPONSE_FIELDS, "response from");
                }
                match self.sessions.complete(link.to_bits(), session) {
                    Some(asker) => {
                        self.totals.responses_received += 1;
                        self.conclude(reactor, asker, Outcome::Answer(data));
                        Receipt::Passed
                    }
                    None => {
                        self.totals.strays += 1;
                        Receipt::Dropped
                    }
                }
            }
        }
    }

    /// Closes a connection because what came is no frame.
    fn refuse_bytes(&mut self, reactor: &mut Reactor, link: Id, why: &str) {
        self.totals.refused_frames += 1;
        self.refuse(reactor, link, libc::EPROTO, why);
    }

    /// Closes a connection because its other end speaks the other generation.
    fn refuse_foreign(&mut self, reactor: &mut Reactor, link: Id) {
        let Some(known) = self.links.get(link) else { return };
        let (own, other) = (known.generation.number(), known.generation.other().number());
        let text = format!(
            "it speaks generation {other} of the wire, and this end generation {own}; the option wire must be the same on both"
        );
        self.refuse_bytes(reactor, link, &text);
    }

    /// Closes a connection because of what its other end does.
    pub(super) fn refuse(&mut self, reactor: &mut Reactor, link: Id, errno: i32, why: &str) {
        if let Some(known) = self.links.get(link) {
            let remote = known.socket.remote();
            reactor.log(Severity::Error, format!("[cluster] closing {remote}: {why}"));
        }
        self.break_off(reactor, link, errno);
    }

    /// Sends what waits for room, as far as there is some.
    fn pump(&mut self, reactor: &mut Reactor, peer: Id) {
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
