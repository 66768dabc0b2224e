//! A live connection of the cluster: its socket, whom it belongs to, and what it owes.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::net::connection::{Arrival, Connection};
use crate::net::errno;
use crate::reactor::inbox::Source;
use crate::registry::Id;
use crate::timers::TimerId;

/// How long a connection closed by the script may take to write what was queued and to see the
/// other end finish, in milliseconds. Without the second part the kernel would answer a late
/// message of the other end with a reset, and that reset can destroy what it has not read yet.
pub(super) const CLOSE_LIMIT: u64 = 5_000;

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
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

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: Id,
    pub(super) connection: Connection,
    pub(super) source: Arc<Source>,
    waker: Waker,
    pub(super) phase: Phase,
    /// Stands in the list of those with bytes to write.
    pub(super) dirty: bool,
    /// Requests given to the script and not answered yet.
    pub(super) handling: usize,
    /// Why nothing can be written any more. The connection ends once what has arrived is read.
    pub(super) failure: Option<i32>,
}

impl Link {
    /// A fresh connection of `peer`.
    pub(super) fn new(peer: Id, connection: Connection, source: Arc<Source>) -> Link {
        let waker = Waker::from(Arc::clone(&source));
        Link {
            peer,
            connection,
            source,
            waker,
            phase: Phase::Open,
            dirty: false,
            handling: 0,
            failure: None,
        }
    }

    /// Writes what it can of what is queued. A failure is only noted: what the other end sent
    /// before it went is still to be read.
    pub(super) fn write(&mut self) {
        if self.failure.is_none()
            && let Poll::Ready(Err(error)) =
                self.connection.poll_write(&mut Context::from_waker(&self.waker))
        {
            self.failure = Some(errno::number(&error));
            self.source.note();
        }
    }

    /// Reads once into the arena.
    pub(super) fn poll_read(&mut self, arena: &mut Vec<u8>) -> Poll<io::Result<Arrival>> {
        self.connection.poll_read(&mut Context::from_waker(&self.waker), arena)
    }

    /// Announces the end of what this side writes.
    pub(super) fn poll_finish(&mut self) -> Poll<io::Result<()>> {
        self.connection.poll_finish(&mut Context::from_waker(&self.waker))
    }

    /// True until the script closes it.
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}
