//! Writes what the fuzzers begin with into `fuzz/seeds`, from the known bytes of the tests.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use silly_cluster::wire::{Generation, Wire};
use silly_cluster::zproto::parse;
use silly_cluster_fuzz::message::RICH;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = fs::read(folder.join("../tests/data/zproto-vectors.json")).unwrap();
    let vectors: Json = serde_json::from_slice(&vectors).unwrap();
    for (target, seeds) in [
        ("frames", frames()),
        ("schema", schemas(&vectors)),
        ("message", messages(&vectors)),
        ("packing", packed(&vectors)),
    ] {
        let folder = folder.join("seeds").join(target);
        fs::create_dir_all(&folder).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(number.to_string()), seed).unwrap();
        }
    }
}

/// The bytes at `key` of each entry of a section.
fn each<'j>(vectors: &'j Json, section: &str, key: &'j str) -> impl Iterator<Item = Vec<u8>> + 'j {
    vectors[section].as_array().unwrap().iter().filter_map(move |entry| unhex(&entry[key]))
}

fn unhex(text: &Json) -> Option<Vec<u8>> {
    let text = text.as_str()?;
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Streams of frames with two sizes of pieces in front.
fn frames() -> Vec<Vec<u8>> {
    let mut streams = Vec::new();
    for (generation, first) in [(Generation::One, 2), (Generation::Two, 10)] {
        let wire = Wire { generation, hardlimit: 100_000 };
        let mut out = bytes::BytesMut::from(&[first, 0, 6][..]);
        streams.push(out.to_vec());
        for size in [0, 1, 5, 300, 65_519] {
            let data = vec![b'x'; size];
            wire.encode_request(&mut out, 7, 0x0102_0305, 0x1122_3344_5566_7788, &data).unwrap();
            wire.encode_response(&mut out, 0x0a0b_0c0d, &data).unwrap();
            streams.push(out.to_vec());
        }
    }
    streams
}

fn schemas(vectors: &Json) -> Vec<Vec<u8>> {
    let texts = ["vectors", "parse"].into_iter().flat_map(|section| {
        vectors[section].as_array().unwrap().iter().filter_map(|entry| match &entry["schema"] {
            Json::String(text) => Some(text.clone().into_bytes()),
            hex => unhex(&hex["hex"]),
        })
    });
    texts.collect()
}

/// Messages of structs of [`RICH`], and others behind the text of their schema.
fn messages(vectors: &Json) -> Vec<Vec<u8>> {
    let rich = parse(RICH.as_bytes()).unwrap();
    let mut seeds = Vec::new();
    for (section, key) in [("vectors", "encoded_hex"), ("decode", "input_hex")] {
        for entry in vectors[section].as_array().unwrap() {
            let (text, bytes) = (entry["schema"].as_str().unwrap(), unhex(&entry[key]).unwrap());
            if RICH.contains(text)
                && let Some(name) = entry["type"].as_str()
            {
                let of = rich.by_name(name.as_bytes());
                let choice = rich.roots().iter().position(|&id| Some(id) == of).unwrap();
                seeds.push([&[choice as u8], &bytes[..]].concat());
            }
            seeds.push([b"\xff", text.as_bytes(), b"\0", &bytes].concat());
        }
    }
    seeds
}

fn packed(vectors: &Json) -> Vec<Vec<u8>> {
    let of = |section, key| each(vectors, section, key);
    of("pack", "packed_hex")
        .chain(of("unpack", "packed_hex"))
        .chain(of("vectors", "packed_hex"))
        .filter(|bytes| bytes.len() <= 8192)
        .collect()
}
