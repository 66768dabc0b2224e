//! A connected socket with its waker: reading, writing, and closing in order.
//!
//! It is what a connection of the cluster and a stream of `silly.net.tcp` have in common; what the
//! bytes mean is theirs.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use crate::net::connection::{Arrival, Connection};
use crate::net::endpoint::Endpoint;
use crate::net::errno;
use crate::net::tls::{Flaw, Names, flaw};
use crate::timers::TimerId;

use super::inbox::Source;
use super::{Alarm, Reactor};

/// How long a socket closed by the script may take to write what was queued and to see the other
/// end finish, in milliseconds. Without the second part the kernel would answer a late message of
/// the other end with a reset, and that reset can destroy what it has not read yet.
const CLOSE_LIMIT: u64 = 5_000;

/// Where a socket is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Closed by the script: writing what is queued.
    Flushing {
        limit: TimerId,
    },
    /// Everything is written and the end announced: waiting for the other end's.
    Lingering {
        limit: TimerId,
    },
}

/// What one look at a socket found.
#[derive(Debug)]
pub enum Read {
    /// Nothing now; its waker will speak.
    Nothing,
    /// Bytes stand in the arena from `start` on. With `more` the kernel probably holds further
    /// ones, but others come first: it is looked after again in the next turn.
    Bytes { start: usize, more: bool },
    /// More of a long message has come, and will be gathered until all of it has.
    Part { more: bool },
    /// A long message, all of it.
    Message(Vec<u8>),
    /// It is over, with the system's number of the reason; 0: the other end finished in order.
    End { errno: i32 },
    /// The bytes themselves are no good, where TLS looks at them.
    Flaw(Flaw),
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    connection: Connection,
    source: Arc<Source>,
    waker: Waker,
    phase: Phase,
    /// Why nothing can be written any more. It ends once what has arrived is read.
    failure: Option<i32>,
    /// Its owner has put off what the last read brought.
    deferred: bool,
}

impl Socket {
    /// Takes a connection over.
    pub fn new(connection: Connection, source: Arc<Source>) -> Socket {
        let waker = Waker::from(Arc::clone(&source));
        Socket { connection, source, waker, phase: Phase::Open, failure: None, deferred: false }
    }

    /// The other end's address.
    pub fn remote(&self) -> &Endpoint {
        self.connection.remote()
    }

    /// The names in its certificate, where it has shown one that was verified.
    pub fn names(&self) -> Option<&Names> {
        self.connection.names()
    }

    /// True until the script closes it.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// True when what is queued can still be expected to leave.
    pub fn is_writable(&self) -> bool {
        self.failure.is_none()
    }

    /// Has it looked after in this turn or the next, though its waker has not spoken.
    pub fn note(&self) {
        self.source.note();
    }

    /// The bytes still to be written; whoever appends must see to it that [`write`](Self::write)
    /// is called.
    pub fn out(&mut self) -> &mut BytesMut {
        self.connection.out()
    }

    /// How many bytes neither the kernel nor TLS has taken yet; at least one while TLS holds some.
    pub fn queued(&self) -> usize {
        self.connection.queued()
    }

    /// How many bytes have arrived so far.
    pub fn received(&self) -> u64 {
        self.connection.received()
    }

    /// How many bytes have been written so far.
    pub fn sent(&self) -> u64 {
        self.connection.sent()
    }

    /// Writes what it can of what is queued. A failure is only noted: what the other end sent
    /// before it went is still to be read.
    pub fn write(&mut self) {
        if self.failure.is_some() {
            return;
        }
        match self.connection.poll_write(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Err(error)) => {
                self.failure = Some(errno::number(&error));
                self.source.note();
            }
            Poll::Ready(Ok(())) if self.connection.queued() > 0 => self.source.note(),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
    }

    /// What to do first when it is looked after: writes what is queued, and once a closed one has
    /// nothing left, announces the end. The system's number of the reason when that fails.
    pub fn attend(&mut self) -> Result<(), i32> {
        self.source.heed();
        self.write();
        if let Phase::Flushing { limit } = self.phase
            && self.connection.queued() == 0
        {
            match self.connection.poll_finish(&mut Context::from_waker(&self.waker)) {
                Poll::Ready(Ok(())) => self.phase = Phase::Lingering { limit },
                Poll::Ready(Err(error)) => return Err(errno::number(&error)),
                Poll::Pending => {} // TLS has an end of its own to write
            }
        }
        Ok(())
    }

    /// Reads once into the arena, or in a later turn when this one has read its fill. What arrives
    /// after the script has closed it is thrown away.
    pub fn read(&mut self, reactor: &mut Reactor) -> Read {
        let Some(arena) = reactor.arena.room() else {
            self.source.note();
            return Read::Nothing;
        };
        let start = arena.len();
        let outcome = if std::mem::take(&mut self.deferred) {
            Poll::Ready(Ok(self.connection.recall(arena)))
        } else {
            self.connection.poll_read(&mut Context::from_waker(&self.waker), arena)
        };
        match (outcome, self.failure) {
            (Poll::Pending, None) => Read::Nothing,
            (Poll::Pending, Some(errno)) => Read::End { errno },
            (Poll::Ready(Err(error)), failure) => match flaw(&error) {
                Some(flaw) => Read::Flaw(flaw),
                None => Read::End { errno: failure.unwrap_or_else(|| errno::number(&error)) },
            },
            // A broken pipe is how a write learns of an end in order.
            (Poll::Ready(Ok(Arrival::End)), None | Some(libc::EPIPE)) => Read::End { errno: 0 },
            (Poll::Ready(Ok(Arrival::End)), Some(errno)) => Read::End { errno },
            (Poll::Ready(Ok(Arrival::Bytes { more })), _) => {
                if !self.is_open() {
                    arena.truncate(start);
                }
                if more {
                    self.source.note();
                }
                Read::Bytes { start, more }
            }
            (Poll::Ready(Ok(Arrival::Part { count, more })), _) => {
                reactor.arena.charge(count);
                if more {
                    self.source.note();
                }
                Read::Part { more }
            }
            (Poll::Ready(Ok(Arrival::Message { count })), _) => {
                reactor.arena.charge(count);
                self.source.note();
                Read::Message(self.connection.take_message())
            }
        }
    }

    /// Keeps the beginning of an unfinished message of at least `whole` bytes; the next read puts it
    /// back in front, or gathers what is missing.
    pub fn keep(&mut self, unfinished: &[u8], whole: usize) {
        self.connection.keep(unfinished, whole);
    }

    /// True while it keeps some and waits for the rest.
    pub fn keeps_some(&self) -> bool {
        !self.deferred && self.connection.keeps_some()
    }

    /// True when it is to be looked after again: the kernel may hold more for it.
    pub fn is_noted(&self) -> bool {
        self.source.is_noted()
    }

    /// Puts off what has been read and not been looked at: the next turn brings it again, before
    /// anything else is read.
    pub fn defer(&mut self, unread: &[u8]) {
        self.connection.keep(unread, 0);
        self.deferred = true;
        self.source.note();
    }

    /// Begins to close in order; `limit` is the deadline after which its owner drops it.
    pub fn close(&mut self, reactor: &mut Reactor, limit: Alarm) {
        if self.is_open() {
            self.phase = Phase::Flushing { limit: reactor.arm(CLOSE_LIMIT, limit) };
            self.connection.take_message(); // or its rest would be waited for
            self.source.note();
        }
    }

    /// For an owner that drops it: takes the deadline of a close back. True when it was still open.
    pub fn retire(&self, reactor: &mut Reactor) -> bool {
        match self.phase {
            Phase::Open => true,
            Phase::Flushing { limit } | Phase::Lingering { limit } => {
                reactor.disarm(limit);
                false
            }
        }
    }
}
