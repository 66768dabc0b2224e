//! The frame decoder: a stream means the same however it is cut into pieces.

use bytes::BytesMut;
use silly_cluster::wire::{Frame, Front, Generation, Head, Violation, Wire};

use crate::counting::allocated;

/// The first byte tells the generation, and how many follow that tell the sizes of the pieces; the rest is
/// the stream.
pub fn check(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    let generation = if first & 8 == 0 { Generation::One } else { Generation::Two };
    let wire = Wire { generation, hardlimit: 100_000 };
    let (sizes, stream) = rest.split_at(rest.len().min(usize::from(first % 8)));
    let (memory, ()) = allocated(|| {
        wire.fits(stream);
        let _ = walk(wire, stream, |_, _| ());
    });
    assert_eq!(memory, 0);

    let whole = gather(wire, |note| walk(wire, stream, note));
    assert_eq!(gather(wire, |note| in_pieces(wire, sizes, stream, note)), whole);
}

/// What a stream holds: its frames with their bytes, and how many bytes are left over.
type Contents = (Vec<Vec<u8>>, Result<usize, Violation>);

/// Collects what is noted, each frame as the bytes that encoding makes of it.
fn gather(
    wire: Wire,
    run: impl FnOnce(&mut dyn FnMut(Frame<'_>, &[u8])) -> Result<usize, Violation>,
) -> Contents {
    let mut frames = Vec::new();
    let end = run(&mut |frame, bytes| {
        let encoded = encoded(wire, frame);
        assert_eq!(encoded, bytes);
        let partial = Ok(Front::Partial(bytes.len()));
        assert_eq!(wire.decode(&bytes[..bytes.len() - 1]), partial);
        frames.push(encoded);
    });
    (frames, end)
}

/// Notes each frame at the start of `stream` with its bytes, and tells how many bytes are left.
fn walk(
    wire: Wire,
    mut stream: &[u8],
    mut note: impl FnMut(Frame<'_>, &[u8]),
) -> Result<usize, Violation> {
    while let Front::Frame(frame, used) = wire.decode(stream)? {
        let (bytes, rest) = stream.split_at(used);
        note(frame, bytes);
        stream = rest;
    }
    Ok(stream.len())
}

/// The same as a connection does it: what is incomplete is kept until more has come.
fn in_pieces(
    wire: Wire,
    sizes: &[u8],
    stream: &[u8],
    note: &mut dyn FnMut(Frame<'_>, &[u8]),
) -> Result<usize, Violation> {
    let sizes = if sizes.is_empty() { &[0] } else { sizes };
    let (mut kept, mut rest) = (Vec::new(), stream);
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(rest.len().min(usize::from(size) + 1));
        kept.extend_from_slice(piece);
        let left = walk(wire, &kept, &mut *note)?;
        kept.drain(..kept.len() - left);
        rest = after;
    }
    Ok(kept.len())
}

fn encoded(wire: Wire, frame: Frame<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    match frame.head {
        Head::Request { session, cmd, trace } => {
            wire.encode_request(&mut out, session, cmd, trace, frame.data).unwrap();
        }
        Head::Response { session } => wire.encode_response(&mut out, session, frame.data).unwrap(),
    }
    out.to_vec()
}
