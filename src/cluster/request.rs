//! What a task waits for: an answer, room to send, the end of a first dial, or of a drain.

use crate::registry::Id;
use crate::timers::TimerId;

/// What the task asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Call,
    Send,
    Connect,
    Drain,
}

/// Who asks for what, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub kind: Kind,
    pub peer: Id,
    /// The task that asks has a request in hand itself.
    pub in_handler: bool,
    /// Milliseconds from now for everything: lookup, dial, room, answer.
    pub timeout: u64,
}

/// A message that has not been written yet.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) cmd: u32,
    pub(super) trace: u64,
    pub(super) data: Box<[u8]>,
}

/// How far a request has come.
#[derive(Debug)]
pub(super) enum Stage {
    /// In its peer's queue, for the dial or for room. A connect has nothing to send. Boxed, as few
    /// requests ever wait so, and each call in flight would take the room.
    Waiting(Option<Box<Unsent>>),
    /// Written, or about to be: never written again, whatever happens.
    Asked { session: u32 },
    /// Over; its event is on the way to Lua, and then its slot is free.
    Over,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    pub(super) peer: Id,
    /// The task that asks has a request in hand itself.
    pub(super) in_handler: bool,
    pub(super) deadline: TimerId,
    pub(super) stage: Stage,
}
