//! What a turn hands to Lua: plain data, in the order in which it happened.

use crate::net::endpoint::Endpoint;
use crate::reason::Reason;
use crate::registry::Id;

use super::arena::Span;

/// How much an operator wants to know something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// All is well, but probably not as it was meant.
    Warning,
    /// Something was lost or cut off.
    Error,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A sleeping task's time has come.
    Awake { timer: Id },
    /// A timer with a callback is due.
    Alarm { timer: Id },
    /// A listener took a connection in.
    Accepted { peer: Id, fd: u64, remote: Endpoint },
    /// A handle has a connection again.
    Connected { peer: Id, fd: u64, remote: Endpoint },
    /// A connection ended, not by the script's own doing. 0: the other end closed in order.
    Closed { peer: Id, errno: i32 },
    /// The other end asks. `fd` names the connection that the answer must go to.
    Request { peer: Id, fd: u64, session: u32, cmd: u32, trace: u64, data: Span },
    /// An answer to a call.
    Reply { request: Id, data: Span },
    /// A send that had to wait is queued; a handle's first dial is over.
    Done { request: Id },
    /// A call or send will not succeed.
    Failed { request: Id, why: Reason },
    /// A lookup is over; its answer waits to be taken.
    LookedUp { lookup: Id },
    /// A listener of plain TCP took a connection in.
    StreamAccepted { door: Id, stream: Id },
    /// A task's wait for bytes is over.
    StreamReady { stream: Id },
    /// A task's wait for a connection of plain TCP is over.
    StreamDialed { attempt: Id },
    /// A registration or a watched service has something to tell, which waits to be taken.
    #[cfg(feature = "etcd")]
    Discovered { thing: Id },
    /// Something that no task waits to hear, and an operator wants to know.
    Log { severity: Severity, text: Box<str> },
    /// A signal that this state watches has come, once or several times.
    Signal { number: i32 },
}
