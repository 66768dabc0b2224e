//! The frames two nodes exchange, and what can be wrong with them.
//!
//! Deployed nodes speak more than one generation of the protocol. The generations lay the same
//! fields out differently, so what a frame says lives here and how it is laid out lives in one
//! module for each generation. All of it works on byte slices: no sockets, no clock, and no
//! allocation whose size a peer chooses.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;

mod gen1;
mod gen2;

/// The bit of the session field that tells a response from a request.
const RESPONSE_BIT: u32 = 0x8000_0000;

/// What a response carries besides its data, in every generation, and so the least length of a frame.
pub const RESPONSE_FIELDS: usize = 4;
/// What a request carries besides its data.
pub const REQUEST_FIELDS: usize = 16;

/// What a message says besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A call, or a message to which no answer is awaited: the wire does not tell them apart.
    Request {
        /// The number the response must carry; 31 bits, chosen by the requester.
        session: u32,
        /// Which message of the schema the data holds.
        cmd: u32,
        /// The requester's trace id, passed on unread.
        trace: u64,
    },
    /// The answer to a request of this end.
    Response {
        /// The number of the request, without the response bit.
        session: u32,
    },
}

/// One message, borrowed from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What kind of message it is, and whose.
    pub head: Head,
    /// The marshalled message.
    pub data: &'a [u8],
}

/// What stands at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front<'a> {
    /// A frame, and how many bytes it took.
    Frame(Frame<'a>, usize),
    /// The beginning of one that has at least so many bytes in all.
    Partial(usize),
}

/// Which protocol two ends have agreed on. It is configured on both, and never negotiated: the wire
/// has no room for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Generation {
    /// Lengths of two bytes, as documented.
    #[default]
    One,
    /// Lengths of four bytes.
    Two,
}

impl Generation {
    /// The generation of a number that a script gives.
    pub fn from_number(number: u8) -> Option<Generation> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }

    /// The number that scripts know it by.
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The one that it could be mistaken for.
    pub fn other(self) -> Generation {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }
}

/// A generation with the length that a frame of it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// How frames are laid out.
    pub generation: Generation,
    /// The longest frame of generation 2, without its prefix. Generation 1 has a limit of its own.
    pub hardlimit: u32,
}

impl Wire {
    /// Reads the frame at the start of `input`. Nothing is copied and nothing is allocated.
    ///
    /// # Errors
    ///
    /// A [`Violation`] as soon as the bytes at hand show it; for a length that no frame has, that is
    /// once the prefix is here.
    pub fn decode(self, input: &[u8]) -> Result<Front<'_>, Violation> {
        match self.generation {
            Generation::One => gen1::decode(input),
            Generation::Two => gen2::decode(input, self.hardlimit),
        }
    }

    /// Appends a request to `out`. Of `session` the low 31 bits are used.
    ///
    /// # Errors
    ///
    /// As [`check_request`](Self::check_request); `out` is then as it was.
    pub fn encode_request(
        self,
        out: &mut BytesMut,
        session: u32,
        cmd: u32,
        trace: u64,
        data: &[u8],
    ) -> Result<(), TooLarge> {
        self.check_request(data.len())?;
        match self.generation {
            Generation::One => gen1::encode_request(out, session, cmd, trace, data),
            Generation::Two => gen2::encode_request(out, session, cmd, trace, data),
        }
        Ok(())
    }

    /// Appends the response to the request numbered `session` to `out`.
    ///
    /// # Errors
    ///
    /// As [`check_response`](Self::check_response); `out` is then as it was.
    pub fn encode_response(
        self,
        out: &mut BytesMut,
        session: u32,
        data: &[u8],
    ) -> Result<(), TooLarge> {
        self.check_response(data.len())?;
        match self.generation {
            Generation::One => gen1::encode_response(out, session, data),
            Generation::Two => gen2::encode_response(out, session, data),
        }
        Ok(())
    }

    /// Whether a request can carry `size` bytes of data.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] when it cannot.
    pub fn check_request(self, size: usize) -> Result<(), TooLarge> {
        self.check(size, REQUEST_FIELDS, "request")
    }

    /// Whether a response can carry `size` bytes of data.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] when it cannot.
    pub fn check_response(self, size: usize) -> Result<(), TooLarge> {
        self.check(size, RESPONSE_FIELDS, "response")
    }

    fn check(self, size: usize, fields: usize, what: &'static str) -> Result<(), TooLarge> {
        let longest = match self.generation {
            Generation::One => gen1::LONGEST,
            Generation::Two => self.hardlimit as usize,
        };
        let limit = longest.saturating_sub(fields);
        if size > limit { Err(TooLarge { size, limit, what }) } else { Ok(()) }
    }

    /// Whether these bytes are nothing but whole requests, and at least one. What a stranger sends first
    /// is that for one generation at most, give or take a coincidence in four bytes.
    pub fn fits(self, mut input: &[u8]) -> bool {
        while let Ok(Front::Frame(Frame { head: Head::Request { .. }, .. }, used)) =
            self.decode(input)
        {
            input = input.get(used..).unwrap_or_default();
            if input.is_empty() {
                return true;
            }
        }
        false
    }
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
    /// The length prefix is over the hard limit.
    LongFrame {
        /// The length the peer announced.
        len: usize,
        /// The most that is accepted.
        most: usize,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortFrame { len, least } => {
                write!(f, "frame with a length of {len}, which must be at least {least}")
            }
            Self::ShortRequest { len, least } => {
                write!(f, "request with a length of {len}, which must be at least {least}")
            }
            Self::LongFrame { len, most } => {
                write!(f, "frame with a length of {len}, which is over the hardlimit of {most}")
            }
        }
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
mod tests;
