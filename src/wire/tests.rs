//! Both generations, through what they have in common.

use proptest::prelude::*;

use super::*;

const ONE: Wire = Wire { generation: Generation::One, hardlimit: 1000 };
const TWO: Wire = Wire { generation: Generation::Two, hardlimit: 70_000 };

fn request(session: u32, cmd: u32, trace: u64, data: &[u8]) -> Frame<'_> {
    Frame { head: Head::Request { session, cmd, trace }, data }
}

fn response(session: u32, data: &[u8]) -> Frame<'_> {
    Frame { head: Head::Response { session }, data }
}

/// Frames as nodes of both generations print them.
fn vectors() -> Vec<(Wire, &'static [u8], Frame<'static>)> {
    let hello = request(0, 0x0102_0305, 0x1122_3344_5566_7788, b"hello");
    let world = response(0x0a0b_0c0d, b"world");
    let empty = response(7, b"");
    vec![
        (
            ONE,
            b"\x00\x15hello\x88\x77\x66\x55\x44\x33\x22\x11\x05\x03\x02\x01\x00\x00\x00\x00",
            hello,
        ),
        (ONE, b"\x00\x09world\x0d\x0c\x0b\x8a", world),
        (ONE, b"\x00\x04\x07\x00\x00\x80", empty),
        (
            TWO,
            b"\x15\x00\x00\x00\x00\x00\x00\x00\x05\x03\x02\x01\x88\x77\x66\x55\x44\x33\x22\x11hello",
            hello,
        ),
        (TWO, b"\x09\x00\x00\x00\x0d\x0c\x0b\x8aworld", world),
        (TWO, b"\x04\x00\x00\x00\x07\x00\x00\x80", empty),
    ]
}

fn encode(wire: Wire, out: &mut BytesMut, frame: &Frame<'_>) -> Result<(), TooLarge> {
    match frame.head {
        Head::Request { session, cmd, trace } => {
            wire.encode_request(out, session, cmd, trace, frame.data)
        }
        Head::Response { session } => wire.encode_response(out, session, frame.data),
    }
}

fn encoded(wire: Wire, frame: &Frame<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    encode(wire, &mut out, frame).unwrap();
    out
}

/// A prefix of this generation that announces so many bytes.
fn prefix(wire: Wire, len: u16) -> Vec<u8> {
    match wire.generation {
        Generation::One => len.to_be_bytes().to_vec(),
        Generation::Two => u32::from(len).to_le_bytes().to_vec(),
    }
}

#[test]
fn vectors_are_read_and_written() {
    for (wire, bytes, frame) in vectors() {
        assert_eq!(wire.decode(bytes), Ok(Front::Frame(frame, bytes.len())));
        assert_eq!(encoded(wire, &frame), bytes);
    }
}

#[test]
fn a_frame_is_partial_until_its_last_byte_and_its_prefix_tells_its_length() {
    for (wire, bytes, _) in vectors() {
        let prefix = prefix(wire, 0).len();
        for end in 0..bytes.len() {
            let whole = if end < prefix { prefix } else { bytes.len() };
            let wanted = Ok(Front::Partial(whole));
            assert_eq!(wire.decode(&bytes[..end]), wanted, "{end} bytes of {bytes:x?}");
        }
    }
}

#[test]
fn a_length_below_four_is_refused_by_the_prefix_alone() {
    for wire in [ONE, TWO] {
        for len in 0..4 {
            let wanted = Err(Violation::ShortFrame { len: usize::from(len), least: 4 });
            assert_eq!(wire.decode(&prefix(wire, len)), wanted);
        }
        let least = prefix(wire, 4);
        assert_eq!(wire.decode(&least), Ok(Front::Partial(least.len() + 4)));
    }
}

#[test]
fn a_request_shorter_than_its_fields_is_refused() {
    for wire in [ONE, TWO] {
        for len in 4..16 {
            let mut bytes = prefix(wire, len);
            bytes.resize(bytes.len() + usize::from(len), 0);
            let wanted = Err(Violation::ShortRequest { len: usize::from(len), least: 16 });
            assert_eq!(wire.decode(&bytes), wanted);
        }
        let mut least = prefix(wire, 16);
        least.resize(least.len() + 16, 0);
        assert_eq!(wire.decode(&least), Ok(Front::Frame(request(0, 0, 0, b""), least.len())));
    }
}

#[test]
fn a_length_over_the_hard_limit_is_refused_by_the_prefix_alone() {
    let wanted = Err(Violation::LongFrame { len: 70_001, most: 70_000 });
    assert_eq!(TWO.decode(&70_001u32.to_le_bytes()), wanted);
    assert_eq!(TWO.decode(&70_000u32.to_le_bytes()), Ok(Front::Partial(70_004)));
    let most = Wire { hardlimit: u32::MAX, ..TWO };
    assert_eq!(most.decode(&[0xff; 4]), Ok(Front::Partial(4 + u32::MAX as usize)));
}

#[test]
fn the_largest_data_fits_and_one_byte_more_does_not() {
    let data = vec![7; 70_000];
    for (wire, longest) in [(ONE, 65_535), (TWO, 70_000)] {
        let (most, more) = (longest - 16, longest - 15);
        assert_eq!(wire.check_request(most), Ok(()));
        let mut out = BytesMut::from(&b"before"[..]);
        let refused = TooLarge { size: more, limit: most, what: "request" };
        assert_eq!(wire.encode_request(&mut out, 1, 2, 3, &data[..more]), Err(refused));

        let (most, more) = (longest - 4, longest - 3);
        assert_eq!(wire.check_response(most), Ok(()));
        let refused = TooLarge { size: more, limit: most, what: "response" };
        assert_eq!(wire.encode_response(&mut out, 1, &data[..more]), Err(refused));
        assert_eq!(out, &b"before"[..]);

        for frame in [request(1, 2, 3, &data[..longest - 16]), response(1, &data[..longest - 4])] {
            let out = encoded(wire, &frame);
            assert_eq!(wire.decode(&out), Ok(Front::Frame(frame, out.len())));
        }
    }
}

#[test]
fn session_numbers_are_31_bits_on_both_sides() {
    for wire in [ONE, TWO] {
        let out = encoded(wire, &request(0x8000_0001, 0, 0, b""));
        assert_eq!(wire.decode(&out), Ok(Front::Frame(request(1, 0, 0, b""), out.len())));
        let out = encoded(wire, &response(u32::MAX, b""));
        assert_eq!(wire.decode(&out), Ok(Front::Frame(response(0x7fff_ffff, b""), out.len())));
    }
}

#[test]
fn requests_of_one_generation_are_told_from_the_other() {
    for (size, cmd) in [(0, 0), (1, 7), (5, 0x0102_0305), (300, 1), (5_000, 2)] {
        let data = vec![0; size];
        for wire in [ONE, TWO] {
            let other = Wire { generation: wire.generation.other(), hardlimit: 128 << 20 };
            let mut out = encoded(wire, &request(0, cmd, 0, &data));
            assert!(wire.fits(&out), "{wire:?}, {size} bytes");
            assert!(!other.fits(&out), "{wire:?}, {size} bytes");
            assert!(!wire.fits(&out[..out.len() - 1]));
            encode(wire, &mut out, &request(1, cmd, 0, &data)).unwrap();
            assert!(wire.fits(&out));
            encode(wire, &mut out, &response(1, b"")).unwrap();
            assert!(!wire.fits(&out));
        }
    }
    assert!(!ONE.fits(b""));
}

/// A frame that owns its data: session, data, and the cmd and trace of a request.
type Owned = (u32, Vec<u8>, Option<(u32, u64)>);

fn frame(owned: &Owned) -> Frame<'_> {
    let (session, data, fields) = owned;
    match *fields {
        Some((cmd, trace)) => request(*session, cmd, trace, data),
        None => response(*session, data),
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
        for wire in [ONE, TWO] {
            let mut stream = BytesMut::new();
            for owned in &sent {
                encode(wire, &mut stream, &frame(owned)).unwrap();
            }
            let (mut arrived, mut start, mut got) = (0, 0, 0);
            for cut in cuts.iter().cycle() {
                while let Front::Frame(read, used) = wire.decode(&stream[start..arrived]).unwrap() {
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
        Violation::LongFrame { len: 101, most: 100 }.to_string(),
        "frame with a length of 101, which is over the hardlimit of 100"
    );
    assert_eq!(
        TooLarge { size: 65520, limit: 65519, what: "request" }.to_string(),
        "request data of 65520 bytes is over the limit of 65519"
    );
}
