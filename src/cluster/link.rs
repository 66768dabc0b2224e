//! A live connection of the cluster: its socket, whom it belongs to, and what it owes.

use crate::reactor::socket::Socket;
use crate::registry::Id;

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) peer: Id,
    pub(super) socket: Socket,
    /// It came in, instead of having been dialled.
    pub(super) incoming: bool,
    /// Stands in the list of those with bytes to write.
    pub(super) dirty: bool,
    /// Requests given to the script and not answered yet.
    pub(super) handling: usize,
}

impl Link {
    /// A fresh connection of `peer`.
    pub(super) fn new(peer: Id, socket: Socket, incoming: bool) -> Link {
        Link { peer, socket, incoming, dirty: false, handling: 0 }
    }
}
