//! What a connection brings: bytes, the messages in them, and what becomes of each.

use crate::net::tls::{Flaw, record};
use crate::reactor::Reactor;
use crate::reactor::arena::Span;
use crate::reactor::event::{Event, Severity};
use crate::reactor::socket::Read;
use crate::reason::Reason;
use crate::registry::Id;
use crate::wire::{Frame, Front, Head, REQUEST_FIELDS, RESPONSE_FIELDS};

use super::link::{Stall, Stranger};
use super::{Cluster, Outcome};

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
            Some(Stall::Strange(stranger)) => self.refuse_stranger(reactor, link, stranger),
            None => {}
        }
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
                Read::End { errno } => match known.stranger {
                    Some(Stranger::Tls) => {
                        return self.refuse_stranger(reactor, link, Stranger::Tls);
                    }
                    _ => return self.break_off(reactor, link, errno),
                },
                Read::Flaw(Flaw { text, refused }) => {
                    let why = format!("tls: {text}");
                    return match refused {
                        true => self.refused(reactor, link, &why),
                        false => self.refuse(reactor, link, libc::EPROTO, &why),
                    };
                }
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
        let first = reactor.arena.from(start).filter(|_| fresh).unwrap_or_default();
        let stranger = if record::is_hello(first) || record::is_refusal(first) {
            Some(Stranger::Tls)
        } else if self.limits.wire(known.generation.other()).fits(first) && !wire.fits(first) {
            Some(Stranger::Generation)
        } else {
            None
        };
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
                        known.expect_rest(reactor, link, self.limits.patience(), stranger);
                    }
                    return reactor.arena.truncate(wanted);
                }
                _ if stranger == Some(Stranger::Generation) => {
                    return self.refuse_stranger(reactor, link, Stranger::Generation);
                }
                // It may have begun like a hello of TLS.
                Ok(Front::Frame(frame, used)) => (frame, used),
                Err(violation) => match stranger {
                    Some(stranger) => return self.refuse_stranger(reactor, link, stranger),
                    None => return self.refuse_bytes(reactor, link, &violation.to_string()),
                },
            };
            if std::mem::take(&mut fresh) {
                self.hear(link);
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

    /// The first frame of a connection has come: the other end is what it should be, and has let this one in.
    fn hear(&mut self, link: Id) {
        let Some(known) = self.links.get_mut(link) else { return };
        known.fresh = false;
        known.stranger = None;
        if let Some(peer) = self.peers.get_mut(known.peer) {
            peer.forget_failures();
        }
    }

    /// Takes in a message that was gathered because of its length.
    fn digest_long(&mut self, reactor: &mut Reactor, link: Id, bytes: Vec<u8>) {
        self.hear(link);
        let Some(known) = self.links.get(link) else { return };
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

    /// Closes a connection because its other end speaks something else.
    fn refuse_stranger(&mut self, reactor: &mut Reactor, link: Id, stranger: Stranger) {
        let Some(known) = self.links.get(link) else { return };
        if stranger == Stranger::Tls {
            self.totals.refused_frames += 1;
            let text = "it speaks TLS, and this end does not; the option tls must be set on both";
            return self.refused(reactor, link, text);
        }
        let (own, other) = (known.generation.number(), known.generation.other().number());
        let text = format!(
            "it speaks generation {other} of the wire, and this end generation {own}; the option wire must be the same on both"
        );
        self.refuse_bytes(reactor, link, &text);
    }

    /// Closes a connection whose other end has not let this one in, as those are told who have asked something:
    /// none of it was carried out.
    fn refused(&mut self, reactor: &mut Reactor, link: Id, why: &str) {
        let Some(known) = self.links.get(link) else { return };
        if known.incoming || !known.fresh {
            return self.refuse(reactor, link, libc::EPROTO, why);
        }
        let peer = known.peer;
        let why = Reason::from(format!("connect {}: {why}", known.socket.remote()));
        self.fail_link(reactor, link, libc::EPROTO, &why);
        let now = reactor.now();
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.failed(why, now);
        }
    }

    /// Closes a connection because of what its other end does.
    pub(super) fn refuse(&mut self, reactor: &mut Reactor, link: Id, errno: i32, why: &str) {
        if let Some(known) = self.links.get(link) {
            let remote = known.socket.remote();
            reactor.log(Severity::Error, format!("[cluster] closing {remote}: {why}"));
        }
        self.break_off(reactor, link, errno);
    }
}
