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

use super::{Frame, RESPONSE_BIT, TooLarge, Violation};

/// What a response carries besides its data, and so the least length of any frame.
const RESPONSE_FIELDS: usize = 4;
/// What a request carries besides its data.
const REQUEST_FIELDS: usize = 16;

/// The most data a request can carry: its length must fit into 16 bits.
pub const MAX_REQUEST_DATA: usize = u16::MAX as usize - REQUEST_FIELDS;
/// The most data a response can carry.
pub const MAX_RESPONSE_DATA: usize = u16::MAX as usize - RESPONSE_FIELDS;

/// Reads the frame at the start of `input`, and says how many bytes it took.
///
/// `Ok(None)` means that more bytes are needed. Nothing is copied and nothing is allocated.
///
/// # Errors
///
/// A [`Violation`] as soon as the bytes at hand show it, which for a frame too short to hold a
/// session is the length prefix alone.
pub fn decode(input: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Violation> {
    let Some((&prefix, rest)) = input.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes(prefix));
    if len < RESPONSE_FIELDS {
        return Err(Violation::ShortFrame { len, least: RESPONSE_FIELDS });
    }
    let Some(body) = rest.get(..len) else {
        return Ok(None);
    };
    let used = prefix.len() + len;
    let Some((body, &session)) = body.split_last_chunk() else {
        return Err(Violation::ShortFrame { len, least: RESPONSE_FIELDS });
    };
    let session = u32::from_le_bytes(session);
    if session & RESPONSE_BIT != 0 {
        let session = session & !RESPONSE_BIT;
        return Ok(Some((Frame::Response { session, data: body }, used)));
    }
    let Some((body, &cmd)) = body.split_last_chunk() else {
        return Err(Violation::ShortRequest { len, least: REQUEST_FIELDS });
    };
    let Some((data, &trace)) = body.split_last_chunk() else {
        return Err(Violation::ShortRequest { len, least: REQUEST_FIELDS });
    };
    let (cmd, trace) = (u32::from_le_bytes(cmd), u64::from_le_bytes(trace));
    Ok(Some((Frame::Request { session, cmd, trace, data }, used)))
}

/// Appends a request to `out`. Of `session` the low 31 bits are used.
///
/// # Errors
///
/// [`TooLarge`] when `data` is over [`MAX_REQUEST_DATA`]; `out` is then as it was.
pub fn encode_request(
    out: &mut BytesMut,
    session: u32,
    cmd: u32,
    trace: u64,
    data: &[u8],
) -> Result<(), TooLarge> {
    let prefix = prefix(data.len(), REQUEST_FIELDS, "request")?;
    out.reserve(prefix.len() + data.len() + REQUEST_FIELDS);
    out.extend_from_slice(&prefix);
    out.extend_from_slice(data);
    out.extend_from_slice(&trace.to_le_bytes());
    out.extend_from_slice(&cmd.to_le_bytes());
    out.extend_from_slice(&(session & !RESPONSE_BIT).to_le_bytes());
    Ok(())
}

/// Appends the response to the request numbered `session` to `out`.
///
/// # Errors
///
/// [`TooLarge`] when `data` is over [`MAX_RESPONSE_DATA`]; `out` is then as it was.
pub fn encode_response(out: &mut BytesMut, session: u32, data: &[u8]) -> Result<(), TooLarge> {
    let prefix = prefix(data.len(), RESPONSE_FIELDS, "response")?;
    out.reserve(prefix.len() + data.len() + RESPONSE_FIELDS);
    out.extend_from_slice(&prefix);
    out.extend_from_slice(data);
    out.extend_from_slice(&(session | RESPONSE_BIT).to_le_bytes());
    Ok(())
}

/// Whether a request can carry `size` bytes of data.
///
/// # Errors
///
/// [`TooLarge`] when it cannot.
pub fn check_request(size: usize) -> Result<(), TooLarge> {
    prefix(size, REQUEST_FIELDS, "request").map(|_| ())
}

/// Whether a response can carry `size` bytes of data.
///
/// # Errors
///
/// [`TooLarge`] when it cannot.
pub fn check_response(size: usize) -> Result<(), TooLarge> {
    prefix(size, RESPONSE_FIELDS, "response").map(|_| ())
}

/// The length prefix of a frame of `size` bytes of data and `fields` further bytes.
fn prefix(size: usize, fields: usize, what: &'static str) -> Result<[u8; 2], TooLarge> {
    match u16::try_from(size.saturating_add(fields)) {
        Ok(len) => Ok(len.to_be_bytes()),
        Err(_) => Err(TooLarge { size, limit: usize::from(u16::MAX) - fields, what }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Frames as nodes of this generation print them.
    const VECTORS: &[(&[u8], Frame<'static>)] = &[
        (
            b"\x00\x15hello\x88\x77\x66\x55\x44\x33\x22\x11\x05\x03\x02\x01\x00\x00\x00\x00",
            Frame::Request {
                session: 0,
                cmd: 0x0102_0305,
                trace: 0x1122_3344_5566_7788,
                data: b"hello",
            },
        ),
        (
            b"\x00\x09world\x0d\x0c\x0b\x8a",
            Frame::Response { session: 0x0a0b_0c0d, data: b"world" },
        ),
        (b"\x00\x04\x07\x00\x00\x80", Frame::Response { session: 7, data: b"" }),
    ];

    fn encode(out: &mut BytesMut, frame: &Frame<'_>) -> Result<(), TooLarge> {
        match *frame {
            Frame::Request { session, cmd, trace, data } => {
                encode_request(out, session, cmd, trace, data)
            }
            Frame::Response { session, data } => encode_response(out, session, data),
        }
    }

    #[test]
    fn vectors_are_read_and_written() {
        for (bytes, frame) in VECTORS {
            assert_eq!(decode(bytes), Ok(Some((*frame, bytes.len()))));
            let mut out = BytesMut::new();
            encode(&mut out, frame).unwrap();
            assert_eq!(out, *bytes);
        }
    }

    #[test]
    fn a_frame_is_incomplete_until_its_last_byte() {
        for (bytes, _) in VECTORS {
            for end in 0..bytes.len() {
                assert_eq!(decode(&bytes[..end]), Ok(None), "{end} bytes of {bytes:x?}");
            }
        }
    }

    #[test]
    fn a_length_below_four_is_refused_by_the_prefix_alone() {
        for len in 0..4u8 {
            let wanted = Err(Violation::ShortFrame { len: usize::from(len), least: 4 });
            assert_eq!(decode(&[0, len]), wanted);
        }
        assert_eq!(decode(&[0, 4]), Ok(None));
    }

    #[test]
    fn a_request_shorter_than_its_fields_is_refused() {
        for len in 4..16u8 {
            let mut bytes = vec![0, len];
            bytes.resize(2 + usize::from(len), 0);
            let wanted = Err(Violation::ShortRequest { len: usize::from(len), least: 16 });
            assert_eq!(decode(&bytes), wanted);
        }
        let mut least = vec![0; 18];
        least[1] = 16;
        let frame = Frame::Request { session: 0, cmd: 0, trace: 0, data: b"" };
        assert_eq!(decode(&least), Ok(Some((frame, 18))));
    }

    #[test]
    fn the_largest_data_fits_and_one_byte_more_does_not() {
        let data = vec![7; MAX_RESPONSE_DATA + 1];
        assert_eq!((MAX_REQUEST_DATA, MAX_RESPONSE_DATA), (65_519, 65_531));

        let mut out = BytesMut::from(&b"before"[..]);
        let refused = TooLarge { size: 65_520, limit: 65_519, what: "request" };
        assert_eq!(encode_request(&mut out, 1, 2, 3, &data[..65_520]), Err(refused));
        let refused = TooLarge { size: 65_532, limit: 65_531, what: "response" };
        assert_eq!(encode_response(&mut out, 1, &data), Err(refused));
        assert_eq!(out, &b"before"[..]);

        for frame in [
            Frame::Request { session: 1, cmd: 2, trace: 3, data: &data[..65_519] },
            Frame::Response { session: 1, data: &data[..65_531] },
        ] {
            let mut out = BytesMut::new();
            encode(&mut out, &frame).unwrap();
            assert_eq!(decode(&out), Ok(Some((frame, 65_537))));
        }
    }

    #[test]
    fn session_numbers_are_31_bits_on_both_sides() {
        let mut out = BytesMut::new();
        encode_request(&mut out, 0x8000_0001, 0, 0, b"").unwrap();
        let frame = Frame::Request { session: 1, cmd: 0, trace: 0, data: b"" };
        assert_eq!(decode(&out), Ok(Some((frame, 18))));
        out.clear();
        encode_response(&mut out, u32::MAX, b"").unwrap();
        let frame = Frame::Response { session: 0x7fff_ffff, data: b"" };
        assert_eq!(decode(&out), Ok(Some((frame, 6))));
    }

    /// A frame that owns its data: session, data, and the cmd and trace of a request.
    type Owned = (u32, Vec<u8>, Option<(u32, u64)>);

    fn frame(owned: &Owned) -> Frame<'_> {
        let (session, data, request) = owned;
        match *request {
            Some((cmd, trace)) => Frame::Request { session: *session, cmd, trace, data },
            None => Frame::Response { session: *session, data },
        }
    }

    fn owned() -> impl Strategy<Value = Owned> {
        let data = proptest::collection::vec(any::<u8>(), 0..300);
        (0..=0x7fff_ffffu32, data, any::<Option<(u32, u64)>>())
    }

    proptest! {
        #[test]
        fn frames_survive_any_splitting(
            sent in proptest::collection::vec(owned(), 0..12),
            cuts in proptest::collection::vec(1..200usize, 1..40),
        ) {
            let mut stream = BytesMut::new();
            for owned in &sent {
                encode(&mut stream, &frame(owned)).unwrap();
            }
            let (mut arrived, mut start, mut got) = (0, 0, 0);
            for cut in cuts.iter().cycle() {
                while let Some((read, used)) = decode(&stream[start..arrived]).unwrap() {
                    prop_assert_eq!(read, frame(&sent[got]));
                    got += 1;
                    start += used;
                }
                if arrived == stream.len() {
                    break;
                }
                arrived = stream.len().min(arrived + cut);
            }
            prop_assert_eq!((got, start), (sent.len(), stream.len()));
        }
    }
}
