//! What a cluster has done and what it is doing, in numbers for an operator.

use crate::registry::Id;

use super::Cluster;
use super::request::{Kind, Stage};

/// What has happened so far. Bytes are kept with each connection and added up when it goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections that came in.
    pub accepts: u64,
    /// Dials that succeeded.
    pub connects: u64,
    /// Those of them that brought a lost connection back.
    pub reconnects: u64,
    pub requests_sent: u64,
    pub requests_received: u64,
    pub responses_sent: u64,
    /// Answers that somebody waited for.
    pub responses_received: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// Calls, sends and connects whose deadline came first.
    pub timeouts: u64,
    /// Answers whose connection was gone or closed, and requests that came during a drain.
    pub drops: u64,
    /// Answers that nobody waited for: late, to a send, or made up.
    pub strays: u64,
    /// Connections that were not let in because of a bound.
    pub refused_connections: u64,
    /// Those whose handshake has failed.
    pub failed_handshakes: u64,
    /// Connections closed because what came is no frame.
    pub refused_frames: u64,
    /// Connections closed because their other end passed a bound.
    pub overloads: u64,
}

/// What is there now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present {
    /// Open connections that came in.
    pub connections_in: u64,
    /// Open connections that were dialled.
    pub connections_out: u64,
    pub listeners: u64,
    /// Handshakes of those who come in.
    pub handshakes: u64,
    /// Calls whose caller waits.
    pub calls_in_flight: u64,
    /// Requests of others whose handler has not ended.
    pub handlers: u64,
    /// Bytes that the kernel has not taken yet.
    pub bytes_queued: u64,
}

impl Cluster {
    /// Counts once over everything there is.
    pub fn stats(&self) -> (Totals, Present) {
        let mut totals = self.totals;
        let mut present = Present {
            listeners: self.gates.len() as u64,
            handshakes: self.arrivals.len() as u64,
            handlers: self.handling as u64,
            ..Present::default()
        };
        for link in self.links.iter() {
            totals.bytes_sent += link.socket.sent();
            totals.bytes_received += link.socket.received();
            present.bytes_queued += link.socket.queued() as u64;
            match (link.socket.is_open(), link.incoming) {
                (false, _) => {}
                (true, true) => present.connections_in += 1,
                (true, false) => present.connections_out += 1,
            }
        }
        let waits = |stage: &Stage| !matches!(stage, Stage::Over);
        let calls = self.requests.iter().filter(|one| one.kind == Kind::Call && waits(&one.stage));
        present.calls_in_flight = calls.count() as u64;
        (totals, present)
    }

    /// Takes a connection out, and its numbers into the totals.
    pub(super) fn remove_link(&mut self, link: Id) -> Option<super::Link> {
        let link = self.links.remove(link)?;
        self.totals.bytes_sent += link.socket.sent();
        self.totals.bytes_received += link.socket.received();
        if link.incoming {
            self.guard.leave(link.socket.remote());
        }
        Some(link)
    }
}
