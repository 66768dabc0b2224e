//! Generation 2 of the wire: a 4-byte length in front, then the fields, then the data.
//!
//! ```text
//! request   [len: u32 LE][session: u32 LE][cmd: u32 LE][trace: u64 LE][data]
//! response  [len: u32 LE][session | 0x80000000: u32 LE][data]
//! ```
//!
//! `len` counts everything after itself. A frame may be far longer than what a connection should hold
//! at a time, so that its length is judged by the prefix alone.

use bytes::BytesMut;

use super::{Frame, Front, Head, REQUEST_FIELDS, RESPONSE_BIT, RESPONSE_FIELDS, Violation};

/// Reads the frame at the start of `input`; see [`Wire::decode`](super::Wire::decode).
pub(super) fn decode(input: &[u8], hardlimit: u32) -> Result<Front<'_>, Violation> {
    let Some((&prefix, rest)) = input.split_first_chunk::<4>() else {
        return Ok(Front::Partial(4));
    };
    let len = u32::from_le_bytes(prefix);
    if len > hardlimit {
        return Err(Violation::LongFrame { len: len as usize, most: hardlimit as usize });
    }
    let len = len as usize;
    if len < RESPONSE_FIELDS {
        return Err(Violation::ShortFrame { len, least: RESPONSE_FIELDS });
    }
    let used = prefix.len() + len;
    let Some((&session, _)) = rest.split_first_chunk() else {
        return Ok(Front::Partial(used));
    };
    let session = u32::from_le_bytes(session);
    let is_response = session & RESPONSE_BIT != 0;
    if !is_response && len < REQUEST_FIELDS {
        return Err(Violation::ShortRequest { len, least: REQUEST_FIELDS });
    }
    let Some(body) = rest.get(..len) else {
        return Ok(Front::Partial(used));
    };
    if is_response {
        let head = Head::Response { session: session & !RESPONSE_BIT };
        let data = body.get(RESPONSE_FIELDS..).unwrap_or_default();
        return Ok(Front::Frame(Frame { head, data }, used));
    }
    let Some((fields, data)) = body.split_first_chunk::<REQUEST_FIELDS>() else {
        return Err(Violation::ShortRequest { len, least: REQUEST_FIELDS });
    };
    let [_, _, _, _, c0, c1, c2, c3, trace @ ..] = *fields;
    let (cmd, trace) = (u32::from_le_bytes([c0, c1, c2, c3]), u64::from_le_bytes(trace));
    Ok(Front::Frame(Frame { head: Head::Request { session, cmd, trace }, data }, used))
}

/// Appends a request whose length was checked.
pub(super) fn encode_request(out: &mut BytesMut, session: u32, cmd: u32, trace: u64, data: &[u8]) {
    out.reserve(4 + REQUEST_FIELDS + data.len());
    out.extend_from_slice(&prefix(REQUEST_FIELDS + data.len()));
    out.extend_from_slice(&(session & !RESPONSE_BIT).to_le_bytes());
    out.extend_from_slice(&cmd.to_le_bytes());
    out.extend_from_slice(&trace.to_le_bytes());
    out.extend_from_slice(data);
}

/// Appends a response whose length was checked.
pub(super) fn encode_response(out: &mut BytesMut, session: u32, data: &[u8]) {
    out.reserve(4 + RESPONSE_FIELDS + data.len());
    out.extend_from_slice(&prefix(RESPONSE_FIELDS + data.len()));
    out.extend_from_slice(&(session | RESPONSE_BIT).to_le_bytes());
    out.extend_from_slice(data);
}

/// The prefix of a frame of `len` bytes, no more than a hard limit of 32 bits.
fn prefix(len: usize) -> [u8; 4] {
    (len as u32).to_le_bytes()
}
