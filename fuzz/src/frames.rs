//! The frame decoder: a stream means the same however it is cut into pieces.

use bytes::BytesMut;
use silly_cluster::wire::{Frame, Violation, gen1};

use crate::counting::allocated;

/// The first byte tells how many follow that tell the sizes of the pieces; the rest is the stream.
pub fn check(input: &[u8]) {
    let Some((&count, rest)) = input.split_first() else { return };
    let (sizes, stream) = rest.split_at(rest.len().min(usize::from(count % 8)));
    let (memory, ()) = allocated(|| walk(stream, |_, _| ()).map_or((), drop));
    assert_eq!(memory, 0);

    let whole = gather(|note| walk(stream, note));
    assert_eq!(gather(|note| in_pieces(sizes, stream, note)), whole);
}

/// What a stream holds: its frames with their bytes, and how many bytes are left over.
type Contents = (Vec<Vec<u8>>, Result<usize, Violation>);

/// Collects what is noted, each frame as the bytes that encoding makes of it.
fn gather(
    run: impl FnOnce(&mut dyn FnMut(Frame<'_>, &[u8])) -> Result<usize, Violation>,
) -> Contents {
    let mut frames = Vec::new();
    let end = run(&mut |frame, bytes| {
        let encoded = encoded(frame);
        assert_eq!(encoded, bytes);
        assert_eq!(gen1::decode(&bytes[..bytes.len() - 1]), Ok(None));
        frames.push(encoded);
    });
    (frames, end)
}

/// Notes each frame at the start of `stream` with its bytes, and tells how many bytes are left.
fn walk(mut stream: &[u8], mut note: impl FnMut(Frame<'_>, &[u8])) -> Result<usize, Violation> {
    while let Some((frame, used)) = gen1::decode(stream)? {
        let (bytes, rest) = stream.split_at(used);
        note(frame, bytes);
        stream = rest;
    }
    Ok(stream.len())
}

/// The same as a connection does it: what is incomplete is kept until more has come.
fn in_pieces(
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
        let left = walk(&kept, &mut *note)?;
        kept.drain(..kept.len() - left);
        rest = after;
    }
    Ok(kept.len())
}

fn encoded(frame: Frame<'_>) -> Vec<u8> {
    let mut out = BytesMut::new();
    match frame {
        Frame::Request { session, cmd, trace, data } => {
            gen1::encode_request(&mut out, session, cmd, trace, data).unwrap();
        }
        Frame::Response { session, data } => {
            gen1::encode_response(&mut out, session, data).unwrap();
        }
    }
    out.to_vec()
}
