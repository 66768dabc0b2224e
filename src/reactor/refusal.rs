//! Why the loop cannot run here, in words for whoever embeds it.

use std::fmt;
use std::io;

use crate::net::errno::reason;

/// Why a turn, or anything that needs the runtime, is refused.
#[derive(Debug)]
pub enum Refusal {
    /// The process was forked after its runtime was made.
    Forked,
    /// The thread is inside another runtime, which a nested wait would block.
    InsideRuntime,
    /// The system gave no runtime.
    System(io::Error),
    /// A host asked for a descriptor.
    NoDescriptor(io::Error),
    /// A script asked for a signal.
    Unwatchable(io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Forked => f.write_str(
                "this process was forked from one that already used the network; \
                 fork before the first listen or connect",
            ),
            Refusal::InsideRuntime => f.write_str(
                "this thread is inside a tokio runtime of the host; \
                 run the loop on a thread of its own",
            ),
            Refusal::System(error) => {
                write!(f, "no event loop to be had: {}", reason(error))
            }
            Refusal::NoDescriptor(error) => {
                write!(f, "no descriptor to be had: {}", reason(error))
            }
            Refusal::Unwatchable(error) => f.write_str(&reason(error)),
        }
    }
}
