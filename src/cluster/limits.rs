//! The bounds that keep one peer from taking all memory.

/// Per connection, each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes queued for writing beyond which callers of this side wait for room. A lower mark
    /// makes senders wait on every burst, a higher one lets a slow peer cost more memory.
    pub queue: usize,
    /// Calls unanswered beyond which callers of this side wait.
    pub calls: usize,
    /// Bytes queued beyond which a peer that asks without reading the answers is closed.
    pub answers: usize,
    /// Requests in progress beyond which a peer is closed; above `calls`, so that two nodes of
    /// this kind never reach it.
    pub handlers: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { queue: 1 << 20, calls: 1 << 17, answers: 64 << 20, handlers: 1 << 18 }
    }
}
