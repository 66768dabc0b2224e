//! What a script has of one connection: the bytes to read, the task that waits for them, the end.

use bytes::BytesMut;

use crate::net::endpoint::Endpoint;
use crate::net::errno;
use crate::reactor::socket::Socket;
use crate::registry::Id;
use crate::timers::TimerId;

use super::input::{Input, Want};

/// What a read comes to.
#[derive(Debug)]
pub enum Reading {
    /// The first `count` of these bytes, which must be given back.
    Bytes { bytes: BytesMut, count: usize },
    /// Nothing yet.
    Waiting,
    /// The other end has finished, with fewer bytes than wanted.
    End,
    /// It fails, for this reason.
    Failed(String),
}

/// A task that waits.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) want: Want,
    pub(super) deadline: Option<TimerId>,
    /// Its time is up.
    pub(super) late: bool,
    /// Its event is on the way.
    pub(super) told: bool,
}

/// One stream, from its connection to the script's close.
#[derive(Debug)]
pub(super) struct Stream {
    /// Its socket; gone once both directions have ended.
    pub(super) link: Id,
    pub(super) remote: Endpoint,
    pub(super) input: Input,
    pub(super) wait: Option<Wait>,
    /// Nothing more will arrive, with the system's number of the reason; 0: the other end has
    /// finished in order.
    pub(super) end: Option<i32>,
    /// Its socket was left alone because enough was unread.
    pub(super) paused: bool,
}

impl Stream {
    /// A stream of which nothing has arrived.
    pub(super) fn new(link: Id, remote: Endpoint) -> Stream {
        Stream { link, remote, input: Input::new(), wait: None, end: None, paused: false }
    }

    /// What a read would come to now.
    pub(super) fn read(&mut self, want: Want) -> Reading {
        match (self.input.find(want), self.end) {
            (Some(count), _) => Reading::Bytes { bytes: self.input.lend(), count },
            (None, None) => Reading::Waiting,
            (None, Some(0)) => Reading::End,
            (None, Some(number)) => Reading::Failed(errno::text(number)),
        }
    }

    /// True when a task waits that could go on now and was not told so; from now on it was.
    pub(super) fn call(&mut self) -> bool {
        let Some(wait) = &mut self.wait else { return false };
        let due = wait.late || self.end.is_some() || self.input.find(wait.want).is_some();
        due && !std::mem::replace(&mut wait.told, true)
    }
}

/// The socket of a stream. It outlives the stream by the time that closing takes.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: Id,
    pub(super) socket: Socket,
    /// Stands in the list of those with bytes to write.
    pub(super) dirty: bool,
}
