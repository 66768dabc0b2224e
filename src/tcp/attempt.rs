//! A connect under way, or over and not told yet.

use tokio::task::AbortHandle;

use crate::registry::Id;
use crate::timers::TimerId;

/// How far it has come.
#[derive(Debug)]
pub(super) enum Stage {
    Dialing(AbortHandle),
    /// Over: the stream, or why there is none. Its event is on the way.
    Over(Result<Id, String>),
}

/// One of them.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) deadline: TimerId,
    pub(super) stage: Stage,
}
