//! The frames two nodes exchange, and what can be wrong with them.
//!
//! Deployed nodes speak more than one generation of the protocol. The generations lay the same
//! fields out differently, so what a frame says lives here and how it is laid out lives in one
//! module for each generation. All of it works on byte slices: no sockets, no clock, and no
//! allocation whose size a peer chooses.

use std::error::Error;
use std::fmt;

pub mod gen1;

/// The bit of the session field that tells a response from a request.
const RESPONSE_BIT: u32 = 0x8000_0000;

/// One message, borrowed from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A call, or a message to which no answer is awaited: the wire does not tell them apart.
    Request {
        /// The number the response must carry; 31 bits, chosen by the requester.
        session: u32,
        /// Which message of the schema `data` holds.
        cmd: u32,
        /// The requester's trace id, passed on unread.
        trace: u64,
        /// The marshalled message.
        data: &'a [u8],
    },
    /// The answer to a request of this end.
    Response {
        /// The number of the request, without the response bit.
        session: u32,
        /// The marshalled answer.
        data: &'a [u8],
    },
}

/// Bytes no well-behaved peer sends. The connection they came on cannot be read any further,
/// since the place where the next frame starts can no longer be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The length prefix leaves no room for the session that every frame carries.
    ShortFrame {
        /// The length the peer announced.
        len: usize,
        /// The least any frame needs.
        least: usize,
    },
    /// The frame lacks the response bit, and is too short for a request's fields.
    ShortRequest {
        /// The length the peer announced.
        len: usize,
        /// The least a request needs.
        least: usize,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, len, least) = match self {
            Self::ShortFrame { len, least } => ("frame", len, least),
            Self::ShortRequest { len, least } => ("request", len, least),
        };
        write!(f, "{what} with a length of {len}, which must be at least {least}")
    }
}

impl Error for Violation {}

/// Data that does not fit into one frame; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// How many bytes of data there were.
    pub size: usize,
    /// How many bytes would have fitted.
    pub limit: usize,
    /// `"request"` or `"response"`.
    pub what: &'static str,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} data of {} bytes is over the limit of {}", self.what, self.size, self.limit)
    }
}

impl Error for TooLarge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_give_the_numbers() {
        assert_eq!(
            Violation::ShortFrame { len: 3, least: 4 }.to_string(),
            "frame with a length of 3, which must be at least 4"
        );
        assert_eq!(
            Violation::ShortRequest { len: 15, least: 16 }.to_string(),
            "request with a length of 15, which must be at least 16"
        );
        assert_eq!(
            TooLarge { size: 65520, limit: 65519, what: "request" }.to_string(),
            "request data of 65520 bytes is over the limit of 65519"
        );
    }
}
