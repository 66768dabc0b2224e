//! The bounds that keep one peer from taking all memory, or from being waited for without end.

use std::time::Duration;

use crate::wire::{Generation, Wire};

/// How long half a frame is waited for where connections are not probed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What holds for each connection, each way, and at the end for all that come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a peer may be silent where it has to say something: acknowledge what was sent,
    /// answer a probe of the kernel, finish a frame. `None`: nothing is probed.
    pub keepalive: Option<Duration>,
    /// Bytes queued for writing from which on callers of this side wait for room. A lower mark
    /// makes senders wait on every burst, a higher one lets a slow peer cost more memory.
    pub highwater: usize,
    /// Calls unanswered from which on callers of this side wait.
    pub calls: usize,
    /// Bytes queued beyond which a peer that asks without reading the answers is closed.
    pub answers: usize,
    /// Requests in progress beyond which a peer is closed; above `calls`, so that calls which are
    /// waited for never reach it. Sends, and calls whose caller has given up, may.
    pub requests: usize,
    /// The longest frame of generation 2, without its prefix: a longer message is not sent, and a peer
    /// that announces one is closed.
    pub hardlimit: u32,
    /// The length beyond which a warning says that a frame of generation 2 is long.
    pub softlimit: u32,
    /// Connections that came in, at a time: more are closed at once.
    pub connections: usize,
    /// The same for those of one host.
    pub per_host: usize,
    /// Connections that are taken in in a second, on all listeners: more wait in their backlogs.
    pub accepts: u32,
    /// Handshakes of those who come in, at a time: more wait in the backlogs.
    pub handshakes: usize,
    /// How long each may take.
    pub handshake: Duration,
}

impl Limits {
    /// True when a frame of so many bytes may be worth a warning.
    pub(super) fn is_long(&self, len: usize) -> bool {
        len > self.softlimit as usize
    }

    /// How frames are read and written on connections of a generation.
    pub(super) fn wire(&self, generation: Generation) -> Wire {
        Wire { generation, hardlimit: self.hardlimit }
    }

    /// How long the rest of a frame is waited for while nothing comes.
    pub(super) fn patience(&self) -> Duration {
        self.keepalive.unwrap_or(PATIENCE)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            keepalive: Some(Duration::from_secs(30)),
            highwater: 1 << 20,
            calls: 1 << 17,
            answers: 64 << 20,
            requests: 1 << 18,
            hardlimit: 128 << 20,
            softlimit: 65_535,
            connections: 1 << 16,
            per_host: 1 << 14,
            accepts: 50_000,
            handshakes: 256,
            handshake: Duration::from_secs(5),
        }
    }
}
