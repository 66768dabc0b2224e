//! What sockets, dials and deadlines bring to the cluster.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::net::connection::Connection;
use crate::reactor::event::{Event, Span};
use crate::reactor::inbox::{Dialed, Key};
use crate::reactor::socket::{Read, Socket};
use crate::reactor::{Alarm, Reactor};
use crate::reason::Reason;
use crate::registry::Id;
use crate::wire::{Frame, gen1};

use super::link::Link;
use super::peer::{Peer, State};
use super::request::{Kind, Request, Stage};
use super::{Cluster, Message, Outcome};

/// Frames taken from one connection in a turn, before others get theirs. Each costs Lua about a
/// microsecond, and whoever asks meanwhile waits for all of them; with fewer, turns would cost more
/// than what they do.
const SHARE: usize = 512;

impl Cluster {
    /// A connection's waker has spoken.
    pub fn link_ready(&mut self, reactor: &mut Reactor, slot: u32) {
        if let Some(link) = self.links.at(slot) {
            self.serve_link(reactor, link);
        }
    }

    /// A listener's waker has spoken.
    pub fn door_ready(&mut self, reactor: &mut Reactor, slot: u32) {
        let Some(door) = self.doors.at(slot) else { return };
        let Some(known) = self.doors.get_mut(door) else { return };
        for (stream, remote) in known.accept(reactor, Alarm::Door(door)) {
            self.welcome(reactor, stream, remote);
        }
    }

    /// A listener that could not accept has rested.
    pub fn reopen(&mut self, door: Id) {
        if let Some(door) = self.doors.get(door) {
            door.note();
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
        if known.is_stalled(reactor, link, patience) {
            self.totals.refused_frames += 1;
            let text = format!("the rest of a frame has not come for {} s", patience.as_secs());
            self.refuse(reactor, link, libc::ETIMEDOUT, &text);
        }
    }

    /// A handle's dial has ended.
    pub fn dialed(&mut self, reactor: &mut Reactor, peer: Id, dialed: Dialed) {
        match self.peers.get(peer) {
            Some(Peer { state: State::Dialing { job, .. }, .. }) if *job == dialed.job => {}
            // Closed meanwhile, or given up: nobody wants this connection.
            _ => return,
        }
        match dialed.outcome {
            Ok((stream, remote)) => {
                let connection = Connection::new(stream, remote);
                if let Some(limit) = self.limits.keepalive {
                    connection.keep_alive(limit);
                }
                let link = self.establish(reactor, peer, connection, false);
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
        !(self.links.is_empty() && self.doors.is_empty() && self.requests.is_empty())
    }

    /// Makes `connection` the one of `peer`.
    fn establish(
        &mut self,
        reactor: &Reactor,
        peer: Id,
        connection: Connection,
        incoming: bool,
    ) -> Id {
        let link = self.links.insert_with(|id| {
            let source = reactor.source(Key::Link(id.slot()));
            Link::new(peer, Socket::new(connection, source), incoming)
        });
        if let Some(known) = self.peers.get_mut(peer) {
            known.state = State::Up { link };
        }
        link
    }

    /// Takes a connection in. It may be gone already, but what it brought is still there.
    fn welcome(&mut self, reactor: &mut Reactor, stream: TcpStream, remote: SocketAddr) {
        let connection = Connection::accepted(stream, remote, self.limits.keepalive);
        let peer = self.peers.insert(Peer::accepted());
        let link = self.establish(reactor, peer, connection, true);
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
            }
        }
        self.pump(reactor, peer);
    }

    /// Takes the frames out of what has arrived since `start`, no more than `share`, and keeps the
    /// rest for later.
    fn digest(&mut self, reactor: &mut Reactor, link: Id, start: usize, share: &mut usize) {
        let mut position = start;
        // Up to where events refer to the arena. What nobody is told of must not fill it: it is
        // emptied between turns only, and a turn goes on until there is an event.
        let mut wanted = start;
        loop {
            let Some(arena) = reactor.arena_from(position) else { return };
            if *share == 0 {
                if let Some(known) = self.links.get_mut(link) {
                    known.socket.defer(arena);
                }
                return reactor.truncate_arena(wanted);
            }
            let (frame, used) = match gen1::decode(arena) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => {
                    if let Some(known) = self.links.get_mut(link)
                        && !arena.is_empty()
                    {
                        known.socket.keep(arena);
                        known.expect_rest(reactor, link, self.limits.patience());
                    }
                    return reactor.truncate_arena(wanted);
                }
                Err(violation) => {
                    let text = violation.to_string();
                    self.totals.refused_frames += 1;
                    return self.refuse(reactor, link, libc::EPROTO, &text);
                }
            };
            let data = |data: &[u8]| Span {
                start: position + (data.as_ptr() as usize - arena.as_ptr() as usize),
                len: data.len(),
            };
            *share -= 1;
            match frame {
                Frame::Request { session, cmd, trace, data: body } => {
                    self.totals.requests_received += 1;
                    if self.drop_request() {
                        position += used;
                        continue;
                    }
                    let data = data(body);
                    let Some(known) = self.links.get_mut(link) else { return };
                    wanted = position + used;
                    self.handling += 1;
                    known.handling += 1;
                    let (peer, handling) = (known.peer, known.handling);
                    let fd = link.to_bits();
                    reactor.push(Event::Request { peer, fd, session, cmd, trace, data });
                    if handling > self.limits.requests {
                        self.totals.overloads += 1;
                        let text = format!("{handling} of its requests are unfinished");
                        return self.refuse(reactor, link, libc::ENOBUFS, &text);
                    }
                }
                Frame::Response { session, data: body } => {
                    let data = data(body);
                    match self.sessions.complete(link.to_bits(), session) {
                        Some(asker) => {
                            wanted = position + used;
                            self.totals.responses_received += 1;
                            self.conclude(reactor, asker, Outcome::Answer(data));
                        }
                        None => self.totals.strays += 1,
                    }
                }
            }
            position += used;
        }
    }

    /// Closes a connection because of what its other end does.
    pub(super) fn refuse(&mut self, reactor: &mut Reactor, link: Id, errno: i32, why: &str) {
        if let Some(known) = self.links.get(link) {
            let remote = known.socket.remote();
            reactor.log(format!("[cluster] closing {remote}: {why}"));
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
                self.transmit(link, asker, &message);
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
