//! What scripts ask of plain TCP.

use std::net::SocketAddr;

use bytes::BytesMut;

use crate::net::endpoint::Endpoint;
use crate::net::errno;
use crate::net::listener::Listener;
use crate::reactor::door::Door;
use crate::reactor::inbox::{Key, Owner};
use crate::reactor::{Alarm, Reactor, Refusal};
use crate::registry::Id;

use super::Tcp;
use super::attempt::{Attempt, Stage};
use super::input::Want;
use super::stream::{Reading, Wait};

/// So many queued bytes are written at once rather than at the end of the turn, which would make
/// the two ends work in turns.
const EARLY_WRITE: usize = 8 * 1024;

/// Nothing is written to a stream that has ended.
const BROKEN: &str = "socket is closed";
/// The stream is none any more.
const CLOSED: &str = "socket closed";

/// A listener that was opened.
#[derive(Debug, Clone)]
pub struct Listening {
    pub id: Id,
    /// The address really bound.
    pub local: Endpoint,
}

impl Tcp {
    /// Listens; synchronous. The reason is the system's alone.
    pub fn listen(
        &mut self,
        reactor: &mut Reactor,
        endpoint: &Endpoint,
        backlog: u32,
        mode: u32,
    ) -> Result<Listening, String> {
        let listener = reactor
            .enter(|| Listener::bind(endpoint, backlog, mode))
            .map_err(|refusal| refusal.to_string())?
            .map_err(|error| errno::reason(&error))?;
        let local = listener.local().clone();
        let key = |id: Id| Key::StreamDoor(id.slot());
        let id = self.doors.insert_with(|id| Door::new(listener, reactor.source(key(id))));
        Ok(Listening { id, local })
    }

    /// Stops listening. Connections taken in before stay.
    pub fn close_listener(&mut self, listener: Id) {
        self.doors.remove(listener);
    }

    /// Begins to connect, from `local` where that is given; an event tells the end of it, and
    /// [`connected`](Self::connected) how it ended. `timeout` is in milliseconds.
    pub fn connect(
        &mut self,
        reactor: &mut Reactor,
        remote: Endpoint,
        local: Option<SocketAddr>,
        timeout: u64,
    ) -> Result<Id, Refusal> {
        let mut refused = None;
        let id = self.attempts.insert_with(|id| {
            let stage = match reactor.connect(Owner::Attempt(id), remote.clone(), local) {
                Ok((_, abort)) => Stage::Dialing(abort),
                Err(refusal) => {
                    refused = Some(refusal);
                    Stage::Over(Err(String::new()))
                }
            };
            Attempt { deadline: reactor.arm(timeout, Alarm::Attempt(id)), stage }
        });
        match refused {
            None => Ok(id),
            Some(refusal) => {
                self.abandon(reactor, id);
                Err(refusal)
            }
        }
    }

    /// How an attempt has ended: the stream, or why there is none.
    pub fn connected(&mut self, attempt: Id) -> Result<Id, String> {
        match self.attempts.remove(attempt) {
            Some(Attempt { stage: Stage::Over(outcome), .. }) => outcome,
            _ => Err(CLOSED.to_owned()),
        }
    }

    /// Gives an attempt up. Nothing is heard of it any more.
    pub fn abandon(&mut self, reactor: &mut Reactor, attempt: Id) {
        let Some(known) = self.attempts.remove(attempt) else { return };
        reactor.disarm(known.deadline);
        match known.stage {
            Stage::Dialing(abort) => abort.abort(),
            Stage::Over(Ok(stream)) => self.close(reactor, stream),
            Stage::Over(Err(_)) => {}
        }
    }

    /// Gives up the attempt in a slot.
    pub fn abandon_at(&mut self, reactor: &mut Reactor, slot: u32) {
        if let Some(attempt) = self.attempts.at(slot) {
            self.abandon(reactor, attempt);
        }
    }

    /// Reads. If it has to wait, an event tells when the wait is over, after `timeout` milliseconds
    /// at the latest, and [`conclude_read`](Self::conclude_read) what it came to.
    pub fn read(
        &mut self,
        reactor: &mut Reactor,
        stream: Id,
        want: Want,
        timeout: Option<u64>,
    ) -> Reading {
        let Some(known) = self.streams.get_mut(stream) else {
            return Reading::Failed(CLOSED.to_owned());
        };
        if reactor.is_forked() {
            return Reading::Failed(Refusal::Forked.to_string()); // the socket is shared
        }
        let reading = known.read(want);
        if matches!(reading, Reading::Waiting) {
            let deadline = timeout.map(|limit| reactor.arm(limit, Alarm::Read(stream)));
            known.wait = Some(Wait { want, deadline, late: false, told: false });
            known.input.set_demand(Some(want));
            self.go_on(stream);
        }
        reading
    }

    /// What a read that had to wait came to.
    pub fn conclude_read(&mut self, reactor: &mut Reactor, stream: Id) -> Reading {
        let Some(want) = self.withdraw(reactor, stream) else {
            return Reading::Failed(CLOSED.to_owned());
        };
        match self.streams.get_mut(stream).map(|known| known.read(want)) {
            Some(Reading::Waiting) | None => Reading::Failed("read timeout".to_owned()),
            Some(reading) => reading,
        }
    }

    /// Nobody waits on this stream any more; what was wanted.
    pub fn withdraw(&mut self, reactor: &mut Reactor, stream: Id) -> Option<Want> {
        let known = self.streams.get_mut(stream)?;
        let wait = known.wait.take()?;
        known.input.set_demand(None);
        if let Some(deadline) = wait.deadline {
            reactor.disarm(deadline);
        }
        Some(wait.want)
    }

    /// As [`withdraw`](Self::withdraw), for the stream in a slot.
    pub fn withdraw_at(&mut self, reactor: &mut Reactor, slot: u32) {
        if let Some(stream) = self.streams.at(slot) {
            self.withdraw(reactor, stream);
        }
    }

    /// Takes the bytes of a read back, less the `used` ones. The stream may have been closed
    /// meanwhile.
    pub fn take_back(&mut self, stream: Id, bytes: BytesMut, used: usize) {
        if let Some(known) = self.streams.get_mut(stream) {
            known.input.take_back(bytes, used);
            self.go_on(stream);
        }
    }

    /// Queues what `append` appends, to be written soon.
    pub fn write(
        &mut self,
        reactor: &Reactor,
        stream: Id,
        append: impl FnOnce(&mut BytesMut),
    ) -> Result<(), String> {
        let known = self.streams.get(stream).ok_or(CLOSED)?;
        if reactor.is_forked() {
            return Err(Refusal::Forked.to_string());
        }
        let id = known.link;
        let open = known.end.is_none();
        let link = self.links.get_mut(id).filter(|link| open && link.socket.is_writable());
        let link = link.ok_or(BROKEN)?;
        append(link.socket.out());
        if !link.dirty {
            link.dirty = true;
            self.dirty.push(id);
        }
        // While the loop rests the end of the turn may be a host's frame away.
        if link.socket.queued() >= EARLY_WRITE || reactor.is_resting() {
            link.socket.write();
        }
        Ok(())
    }

    /// Closes a stream for good: what is unread is dropped, what was queued is still written,
    /// within a bound.
    pub fn close(&mut self, reactor: &mut Reactor, stream: Id) {
        self.withdraw(reactor, stream);
        let Some(known) = self.streams.remove(stream) else { return };
        if let Some(link) = self.links.get_mut(known.link) {
            link.socket.close(reactor, Alarm::Stream(known.link));
        }
    }

    /// Closes everything.
    pub fn close_all(&mut self, reactor: &mut Reactor) {
        for door in self.doors.ids() {
            self.close_listener(door);
        }
        for attempt in self.attempts.ids() {
            self.abandon(reactor, attempt);
        }
        for stream in self.streams.ids() {
            self.close(reactor, stream);
        }
    }

    /// True while a stream can be written to and more may arrive, as far as is known.
    pub fn is_open(&self, stream: Id) -> bool {
        self.streams.get(stream).is_some_and(|known| {
            let link = self.links.get(known.link);
            known.end.is_none() && link.is_some_and(|link| link.socket.is_writable())
        })
    }

    /// The other end's address.
    pub fn remote(&self, stream: Id) -> Option<Endpoint> {
        self.streams.get(stream).map(|known| known.remote.clone())
    }

    /// How many bytes have arrived and are not read.
    pub fn unread(&self, stream: Id) -> usize {
        self.streams.get(stream).map_or(0, |known| known.input.len())
    }

    /// How many bytes the kernel has not taken yet.
    pub fn unsent(&self, stream: Id) -> usize {
        let link = self.streams.get(stream).and_then(|known| self.links.get(known.link));
        link.map_or(0, |link| link.socket.queued())
    }

    /// Sets how many unread bytes stop the reading while nobody waits for more.
    pub fn set_limit(&mut self, stream: Id, limit: Option<usize>) {
        if let Some(known) = self.streams.get_mut(stream) {
            known.input.set_limit(limit);
            self.go_on(stream);
        }
    }

    /// Has a paused stream read again, if it should.
    fn go_on(&mut self, stream: Id) {
        let Some(known) = self.streams.get_mut(stream) else { return };
        if known.paused
            && known.input.is_hungry()
            && let Some(link) = self.links.get(known.link)
        {
            known.paused = false;
            link.socket.note();
        }
    }
}
