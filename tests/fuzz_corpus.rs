//! What the fuzzers check, with what they have left: the files of `fuzz/corpus` reach all the code that
//! was ever reached. The targets of zproto are given more by `zproto_properties.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers are not exempt by themselves"
)]

// Public, as they are in the library that the fuzzers use.
#[path = "../fuzz/src/counting.rs"]
pub mod counting;
#[path = "../fuzz/src/frames.rs"]
pub mod frames;
#[path = "../fuzz/src/message.rs"]
pub mod message;
#[path = "../fuzz/src/packing.rs"]
pub mod packing;
#[path = "../fuzz/src/schema.rs"]
pub mod schema;

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use silly_cluster::wire::{Generation, Wire};

/// Gives every file of a target's corpus to it.
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Only a failing test's output is shown: the last line names the culprit.
        println!("{}", path.display());
        check(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 0, "{target} has no corpus");
}

#[test]
fn frames_of_the_corpus() {
    replay("frames", frames::check);
}

#[test]
fn schemas_of_the_corpus() {
    replay("schema", schema::check);
}

#[test]
fn messages_of_the_corpus() {
    replay("message", message::check);
}

#[test]
fn packed_bytes_of_the_corpus() {
    replay("packing", packing::check);
}

/// A piece of a stream: a frame of either kind, or anything.
fn piece(wire: Wire) -> impl Strategy<Value = Vec<u8>> {
    let data = || vec(any::<u8>(), 0..40);
    let request = (any::<u32>(), any::<u32>(), any::<u64>(), data()).prop_map(
        move |(session, cmd, trace, data)| {
            let mut out = bytes::BytesMut::new();
            wire.encode_request(&mut out, session, cmd, trace, &data).unwrap();
            out.to_vec()
        },
    );
    let response = (any::<u32>(), data()).prop_map(move |(session, data)| {
        let mut out = bytes::BytesMut::new();
        wire.encode_response(&mut out, session, &data).unwrap();
        out.to_vec()
    });
    let short = (0..20u8, data()).prop_map(move |(len, data)| {
        let prefix = match wire.generation {
            Generation::One => vec![0, len],
            Generation::Two => vec![len, 0, 0, 0],
        };
        [&prefix[..], &data].concat()
    });
    prop_oneof![4 => request, 4 => response, 1 => short, 1 => data()]
}

/// Gives a stream of a generation, cut and changed, to the target.
fn cut(first: u8, sizes: &[u8], pieces: &[Vec<u8>], changes: &[(prop::sample::Index, u8)]) {
    let mut stream = pieces.concat();
    for (at, byte) in changes {
        if !stream.is_empty() {
            let at = at.index(stream.len());
            stream[at] = *byte;
        }
    }
    frames::check(&[&[first + sizes.len() as u8][..], sizes, &stream].concat());
}

const ONE: Wire = Wire { generation: Generation::One, hardlimit: 100_000 };
const TWO: Wire = Wire { generation: Generation::Two, hardlimit: 100_000 };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn streams_mean_the_same_however_they_are_cut(
        sizes in vec(any::<u8>(), 0..8),
        one in vec(piece(ONE), 0..12),
        two in vec(piece(TWO), 0..12),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        cut(0, &sizes, &one, &changes);
        cut(8, &sizes, &two, &changes);
    }
}
