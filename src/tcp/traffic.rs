//! What sockets, dials and deadlines bring to plain TCP.

use crate::net::connection::Connection;
use crate::net::endpoint::Endpoint;
use crate::net::errno;
use crate::net::transport::Transport;
use crate::reactor::event::Event;
use crate::reactor::inbox::{Dialed, Key};
use crate::reactor::socket::{Read, Socket};
use crate::reactor::{Alarm, Reactor};
use crate::registry::Id;

use super::Tcp;
use super::attempt::{Attempt, Stage};
use super::stream::{Link, Stream};

impl Tcp {
    /// A socket's waker has spoken.
    pub fn link_ready(&mut self, reactor: &mut Reactor, slot: u32) {
        if let Some(link) = self.links.at(slot) {
            self.serve(reactor, link);
        }
    }

    /// A listener's waker has spoken.
    pub fn door_ready(&mut self, reactor: &mut Reactor, slot: u32) {
        let Some(door) = self.doors.at(slot) else { return };
        let Some(known) = self.doors.get_mut(door) else { return };
        for (stream, remote) in known.accept(reactor, Alarm::StreamDoor(door), usize::MAX) {
            let stream = self.establish(reactor, stream, remote);
            reactor.push(Event::StreamAccepted { door, stream });
        }
    }

    /// A listener that could not accept has rested.
    pub fn reopen(&mut self, door: Id) {
        if let Some(door) = self.doors.get(door) {
            door.note();
        }
    }

    /// A closing socket has had its time.
    pub fn drop_link(&mut self, link: Id) {
        self.links.remove(link);
    }

    /// An attempt's dial has ended.
    pub fn dialed(&mut self, reactor: &mut Reactor, attempt: Id, dialed: Dialed) {
        let known = self.attempts.get(attempt);
        if !matches!(known, Some(Attempt { stage: Stage::Dialing(_), .. })) {
            return; // given up, or too late: nobody wants this connection
        }
        let outcome =
            dialed.outcome.map(|(stream, remote)| self.establish(reactor, stream, remote));
        self.conclude(reactor, attempt, outcome);
    }

    /// An attempt's time is up.
    pub fn end_attempt(&mut self, reactor: &mut Reactor, attempt: Id) {
        self.conclude(reactor, attempt, Err(errno::text(libc::ETIMEDOUT)));
    }

    /// A read's time is up.
    pub fn end_read(&mut self, reactor: &mut Reactor, stream: Id) {
        if let Some(wait) = self.streams.get_mut(stream).and_then(|known| known.wait.as_mut()) {
            wait.late = true;
            self.call(reactor, stream);
        }
    }

    /// Writes whatever is queued.
    pub fn flush(&mut self) {
        for link in self.dirty.drain(..) {
            if let Some(known) = self.links.get_mut(link) {
                known.dirty = false;
                known.socket.write();
            }
        }
    }

    /// Makes a stream of a connection.
    fn establish(&mut self, reactor: &Reactor, stream: Transport, remote: Endpoint) -> Id {
        let connection = Connection::new(stream, remote.clone());
        let links = &mut self.links;
        self.streams.insert_with(|stream| {
            let link = links.insert_with(|id| Link {
                stream,
                socket: Socket::new(connection, reactor.source(Key::Stream(id.slot()))),
                dirty: false,
            });
            Stream::new(link, remote)
        })
    }

    fn serve(&mut self, reactor: &mut Reactor, link: Id) {
        let Some(known) = self.links.get_mut(link) else { return };
        if let Err(errno) = known.socket.attend() {
            return self.end(reactor, link, errno);
        }
        loop {
            let Some(known) = self.links.get_mut(link) else { return };
            if let Some(stream) = self.streams.get_mut(known.stream) {
                if stream.end.is_some() {
                    return self.let_go(link);
                }
                stream.paused = !stream.input.is_hungry();
                if stream.paused {
                    return;
                }
            }
            match known.socket.read(reactor) {
                // Nothing is gathered here, since nothing is kept.
                Read::Nothing | Read::Part { .. } | Read::Message(_) => return,
                Read::End { errno } => return self.end(reactor, link, errno),
                Read::Flaw(_) => return self.end(reactor, link, libc::EPROTO),
                Read::Bytes { start, more } => {
                    self.take_in(reactor, link, start);
                    if more {
                        return;
                    }
                }
            }
        }
    }

    /// Moves what stands in the arena from `start` on to its stream.
    fn take_in(&mut self, reactor: &mut Reactor, link: Id, start: usize) {
        let Some(known) = self.links.get(link) else { return };
        let id = known.stream;
        if let Some(stream) = self.streams.get_mut(id)
            && let Some(arrived) = reactor.arena.from(start)
        {
            stream.input.append(arrived);
        }
        reactor.arena.truncate(start);
        self.call(reactor, id);
    }

    /// Nothing more will arrive on a socket.
    fn end(&mut self, reactor: &mut Reactor, link: Id, errno: i32) {
        let Some(known) = self.links.get(link) else { return };
        if !known.socket.retire(reactor) {
            self.links.remove(link); // the script had closed it
            return;
        }
        let id = known.stream;
        if let Some(stream) = self.streams.get_mut(id) {
            stream.end = Some(errno);
        }
        match errno {
            0 => self.let_go(link),
            _ => drop(self.links.remove(link)),
        }
        self.call(reactor, id);
    }

    /// Drops the socket of a stream that has ended, once what was queued before is written or
    /// cannot be.
    fn let_go(&mut self, link: Id) {
        if let Some(known) = self.links.get(link)
            && (known.socket.queued() == 0 || !known.socket.is_writable())
        {
            self.links.remove(link);
        }
    }
}
