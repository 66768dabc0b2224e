//! Why an operation failed, in the words that scripts may compare against.

use std::fmt;
use std::sync::Arc;

/// The reason of a failed call, send or connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The operation's deadline came first.
    Timeout,
    /// The connection went down, or was closed, while waiting on it.
    Closed,
    /// The handle cannot connect: it was closed by the script, or it was accepted and is gone.
    PeerClosed,
    /// What the system, the resolver or a limit said, with the value in question. Shared, because
    /// everybody who waited for one dial gets the same words.
    Other(Arc<str>),
}

impl Reason {
    /// The stable text.
    pub fn as_str(&self) -> &str {
        match self {
            Reason::Timeout => "timeout",
            Reason::Closed => "closed",
            Reason::PeerClosed => "peer closed",
            Reason::Other(text) => text,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Reason {
        Reason::Other(text.into())
    }
}
