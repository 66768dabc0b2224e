//! Generation 1 of the wire: a 2-byte length in front, the fields behind the data.
//!
//! ```text
//! request   [len: u16 BE][data][trace: u64 LE][cmd: u32 LE][session: u32 LE]
//! response  [len: u16 BE][data][session | 0x80000000: u32 LE]
//! ```
//!
//! `len` counts everything after itself. Only the last field tells whether a frame is a request
//! or a response, so a frame can be judged only once all of it is here. It is apart from the other
//! generations because it shares no offset, no byte order and no limit with them.

use bytes::BytesMut;

use super::{Frame, Front, Head, REQUEST_FIELDS, RESPONSE_BIT, RESPONSE_FIELDS, Violation};

/// The longest frame, without its prefix: all that 16 bits can say.
pub(super) const LONGEST: usize = u16::MAX as usize;

/// Reads the frame at the start of `input`; see [`Wire::decode`](super::Wire::decode).
pub(super) fn decode(input: &[u8]) -> Result<Front<'_>, Violation> {
    let Some((&prefix, rest)) = input.split_first_chunk::<2>() else {
        return Ok(Front::Partial(2));
    };
    let len = usize::from(u16::from_be_bytes(prefix));
    if len < RESPONSE_FIELDS {
        return Err(Violation::ShortFrame { len, least: RESPONSE_FIELDS });
    }
    let used = prefix.len() + len;
    let Some(body) = rest.get(..len) else {
        return Ok(Front::Partial(used));
    };
    let Some((body, &session)) = body.split_last_chunk() else {
        return Err(Violation::ShortFrame { len, least: RESPONSE_FIELDS });
    };
    let session = u32::from_le_bytes(session);
    if session & RESPONSE_BIT != 0 {
        let head = Head::Response { session: session & !RESPONSE_BIT };
        return Ok(Front::Frame(Frame { head, data: body }, used));
    }
    let Some((body, &cmd)) = body.split_last_chunk() else {
        return Err(Violation::ShortRequest { len, least: REQUEST_FIELDS });
    };
    let Some((data, &trace)) = body.split_last_chunk() else {
        return Err(Violation::ShortRequest { len, least: REQUEST_FIELDS });
    };
    let (cmd, trace) = (u32::from_le_bytes(cmd), u64::from_le_bytes(trace));
    Ok(Front::Frame(Frame { head: Head::Request { session, cmd, trace }, data }, used))
}

/// Appends a request whose length was checked.
pub(super) fn encode_request(out: &mut BytesMut, session: u32, cmd: u32, trace: u64, data: &[u8]) {
    out.reserve(2 + data.len() + REQUEST_FIELDS);
    out.extend_from_slice(&prefix(data.len() + REQUEST_FIELDS));
    out.extend_from_slice(data);
    out.extend_from_slice(&trace.to_le_bytes());
    out.extend_from_slice(&cmd.to_le_bytes());
    out.extend_from_slice(&(session & !RESPONSE_BIT).to_le_bytes());
}

/// Appends a response whose length was checked.
pub(super) fn encode_response(out: &mut BytesMut, session: u32, data: &[u8]) {
    out.reserve(2 + data.len() + RESPONSE_FIELDS);
    out.extend_from_slice(&prefix(data.len() + RESPONSE_FIELDS));
    out.extend_from_slice(data);
    out.extend_from_slice(&(session | RESPONSE_BIT).to_le_bytes());
}

/// The prefix of a frame of `len` bytes, no more than [`LONGEST`].
fn prefix(len: usize) -> [u8; 2] {
    (len as u16).to_be_bytes()
}
