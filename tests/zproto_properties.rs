//! What must hold for all schemas, values and bytes, not only for the known ones.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "helpers are not exempt by themselves"
)]
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use silly_cluster::zproto::{
    Field, Kind, Malformed, Reader, Schema, Shape, Sink, StructId, Value, decode, encode, pack,
    pack_bound, parse, unpack,
};

/// Counts what the current thread has allocated, and the most it had at once.
struct Counting;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system allocator; only sizes are noted, in thread-locals that
// need neither allocation nor destruction.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.get().wrapping_add(layout.size());
        NOW.set(now);
        PEAK.set(PEAK.get().max(now));
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        NOW.set(NOW.get().saturating_sub(layout.size()));
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes that `run` had allocated at once.
fn allocated<T>(run: impl FnOnce() -> T) -> (usize, T) {
    let before = NOW.get();
    PEAK.set(before);
    let result = run();
    (PEAK.get() - before, result)
}

/// A sink that keeps nothing but sums up what a careful one would set aside in advance.
#[derive(Default)]
struct Tally {
    hinted: usize,
    pushed: usize,
}

impl Sink for Tally {
    fn open_struct(&mut self, fields: usize) -> Result<(), Malformed> {
        self.hinted += fields;
        Ok(())
    }
    fn open_array(&mut self, elements: usize) {
        self.hinted += elements;
    }
    fn open_map(&mut self, entries: usize) {
        self.hinted += entries;
    }
    fn name(&mut self, _: &Field) {}
    fn boolean(&mut self, _: bool) {
        self.pushed += 1;
    }
    fn integer(&mut self, _: i64) {
        self.pushed += 1;
    }
    fn float(&mut self, _: f64) {
        self.pushed += 1;
    }
    fn bytes(&mut self, value: &[u8]) {
        self.pushed += value.len();
    }
    fn store_field(&mut self) {}
    fn store_element(&mut self, _: u32) {}
    fn store_entry(&mut self, _: &Field) -> Result<(), Malformed> {
        Ok(())
    }
}

const SCALARS: [&str; 17] = [
    "boolean", "byte", "ubyte", "short", "ushort", "int32", "uint32", "int64", "uint64", "float",
    "string", "blob", "byte[]", "ubyte[]", "integer", "long", "ulong",
];

/// A field before it has a name: a type and the distance of its tag from the one before.
#[derive(Clone, Debug)]
enum Draft {
    Scalar(usize, bool, u16),
    /// One of the earlier structs: alone, as an array, or as a map if it has a key.
    Struct(usize, u8, u16),
}

fn draft() -> impl Strategy<Value = Draft> {
    let gap = prop_oneof![4 => 1u16..3, 1 => 1u16..4000];
    prop_oneof![
        3 => (0..SCALARS.len(), any::<bool>(), gap.clone())
            .prop_map(|(of, array, gap)| Draft::Scalar(of, array, gap)),
        1 => (0usize..8, 0u8..3, gap).prop_map(|(of, shape, gap)| Draft::Struct(of, shape, gap)),
    ]
}

/// Up to six structs, each of which may use the ones before. All but the first have a field `key`.
fn schema_text() -> impl Strategy<Value = String> {
    (vec(vec(draft(), 0..12), 1..6), 0u16..30000).prop_map(|(structs, start)| {
        let mut text = String::new();
        for (number, drafts) in structs.iter().enumerate() {
            text += &format!("s{number} {} {{\n", number + 1);
            let mut tag = u32::from(start);
            if number > 0 {
                tag += 1;
                text += &format!(".key:{} {tag}\n", SCALARS[(number * 5) % 12]);
            }
            for (at, draft) in drafts.iter().enumerate() {
                let (kind, gap) = match *draft {
                    // `byte[][]` is no type.
                    Draft::Scalar(of, array, gap) if array && !SCALARS[of].ends_with(']') => {
                        (format!("{}[]", SCALARS[of]), gap)
                    }
                    Draft::Scalar(of, _, gap) => (SCALARS[of].to_string(), gap),
                    Draft::Struct(_, _, gap) if number == 0 => ("string".into(), gap),
                    Draft::Struct(of, shape, gap) => {
                        let of = of % number;
                        let suffix = match shape {
                            0 => "",
                            1 if of > 0 => "[key]",
                            _ => "[]",
                        };
                        (format!("s{of}{suffix}"), gap)
                    }
                };
                tag += u32::from(gap);
                text += &format!(".f{at}:{kind} {tag}\n");
            }
            text += "}\n";
        }
        text
    })
}

fn scalar(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::Byte => any::<i8>().prop_map(|n| Value::Integer(n.into())).boxed(),
        Kind::UByte => any::<u8>().prop_map(|n| Value::Integer(n.into())).boxed(),
        Kind::Short => any::<i16>().prop_map(|n| Value::Integer(n.into())).boxed(),
        Kind::UShort => any::<u16>().prop_map(|n| Value::Integer(n.into())).boxed(),
        Kind::Int32 => any::<i32>().prop_map(|n| Value::Integer(n.into())).boxed(),
        Kind::UInt32 => any::<u32>().prop_map(|n| Value::Integer(n.into())).boxed(),
        Kind::Int64 | Kind::UInt64 => any::<i64>().prop_map(Value::Integer).boxed(),
        Kind::Float => any::<f32>().prop_map(|n| Value::Float(n.into())).boxed(),
        Kind::String | Kind::Blob | Kind::Struct(_) => {
            vec(any::<u8>(), 0..20).prop_map(Value::Bytes).boxed()
        }
    }
}

fn one(schema: &Schema, kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Struct(id) => record(schema, id, false),
        scalar_kind => scalar(scalar_kind),
    }
}

/// Values of a struct; in maps, where `keyed`, always with their key.
fn record(schema: &Schema, id: StructId, keyed: bool) -> BoxedStrategy<Value> {
    let fields = schema.get(id).unwrap().fields().iter().map(|field| {
        let of = match (field.shape(), field.kind()) {
            (Shape::One, kind) => one(schema, kind),
            (Shape::Array, kind) => vec(one(schema, kind), 0..4).prop_map(Value::Array).boxed(),
            (Shape::Map { .. }, Kind::Struct(id)) => {
                vec(record(schema, id, true), 0..4).prop_map(by_key).boxed()
            }
            (Shape::Map { .. }, _) => unreachable!(),
        };
        let name = field.name().to_string();
        let of = match keyed && name == "key" {
            true => of.prop_map(Some).boxed(),
            false => proptest::option::weighted(0.7, of).boxed(),
        };
        of.prop_map(move |of| Some((name.clone(), of?))).boxed()
    });
    let fields: Vec<_> = fields.collect();
    fields.prop_map(|all| Value::Record(all.into_iter().flatten().collect())).boxed()
}

/// A map as it will be read back: keys differ, later ones win, in the order of their coming.
fn by_key(elements: Vec<Value>) -> Value {
    let mut entries: Vec<(Value, Value)> = Vec::new();
    for element in elements {
        let Value::Record(fields) = &element else { unreachable!() };
        let key = fields["key"].clone();
        if !matches!(key, Value::Float(number) if number.is_nan()) {
            entries.retain(|(other, _)| *other != key);
            entries.push((key, element));
        }
    }
    Value::Map(entries)
}

/// A schema, its last struct, and a value of it.
fn message() -> impl Strategy<Value = (String, Value)> {
    schema_text().prop_flat_map(|text| {
        let schema = parse(text.as_bytes()).unwrap();
        let last = *schema.roots().last().unwrap();
        (Just(text), record(&schema, last, false))
    })
}

fn parsed(text: &str) -> (Schema, StructId) {
    let schema = parse(text.as_bytes()).unwrap();
    let last = *schema.roots().last().unwrap();
    (schema, last)
}

fn encoded(schema: &Schema, id: StructId, of: &Value) -> Vec<u8> {
    let mut out = b"kept".to_vec();
    encode(schema, id, &mut Reader::default(), of, &mut out).unwrap();
    assert_eq!(&out[..4], b"kept");
    out.split_off(4)
}

fn decoded(schema: &Schema, id: StructId, bytes: &[u8]) -> Option<(Value, usize)> {
    let mut builder = silly_cluster::zproto::Builder::default();
    let used = decode(schema, id, bytes, &mut builder).ok()?;
    Some((builder.finish().unwrap(), used))
}

/// NaN is not equal to itself, and fields of it are all that can differ here.
fn without_nan(value: Value) -> Value {
    match value {
        Value::Float(number) if number.is_nan() => Value::Bytes(b"NaN".to_vec()),
        Value::Record(fields) => Value::Record(
            fields.into_iter().map(|(k, v)| (k, without_nan(v))).collect::<BTreeMap<_, _>>(),
        ),
        Value::Array(all) => Value::Array(all.into_iter().map(without_nan).collect()),
        Value::Map(all) => Value::Map(all.into_iter().map(|(k, v)| (k, without_nan(v))).collect()),
        other => other,
    }
}

/// Decodes what may be anything: must not panic, allocate, or believe sizes it has not seen.
fn survive_decoding(schema: &Schema, id: StructId, bytes: &[u8]) {
    let mut tally = Tally::default();
    let (peak, _) = allocated(|| decode(schema, id, bytes, &mut tally));
    assert_eq!(peak, 0);
    // A field takes two bytes of header at least, a cheapest element one.
    assert!(tally.hinted <= bytes.len(), "{} for {} bytes", tally.hinted, bytes.len());
    assert!(tally.pushed <= bytes.len());
}

fn survive_unpacking(bytes: &[u8]) {
    let mut out = Vec::new();
    let (peak, _) = allocated(|| unpack(bytes, &mut out));
    assert!(out.len() <= 8 * bytes.len() && out.len() % 8 == 0);
    assert!(peak <= 8 * bytes.len(), "{peak} for {} bytes", bytes.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn decoding_undoes_encoding((text, value) in message()) {
        let (schema, id) = parsed(&text);
        let bytes = encoded(&schema, id, &value);
        let (back, used) = decoded(&schema, id, &bytes).unwrap();
        prop_assert_eq!(used, bytes.len());
        prop_assert_eq!(without_nan(back), without_nan(value));
    }

    #[test]
    fn decoding_survives_mutation(
        (text, value) in message(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (schema, id) = parsed(&text);
        let mut bytes = encoded(&schema, id, &value);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        survive_decoding(&schema, id, &bytes);
        survive_decoding(&schema, id, &bytes[..cut.index(bytes.len())]);
        let _ = decoded(&schema, id, &bytes);
    }

    #[test]
    fn decoding_survives_anything(text in schema_text(), bytes in vec(any::<u8>(), 0..300)) {
        let (schema, id) = parsed(&text);
        survive_decoding(&schema, id, &bytes);
        // With a length that lets it get further than the first check.
        let mut headed = (bytes.len() as u32).to_le_bytes().to_vec();
        headed.extend(&bytes);
        survive_decoding(&schema, id, &headed);
    }

    #[test]
    fn unpacking_survives_anything(bytes in vec(prop_oneof![Just(0xff), any::<u8>()], 0..2000)) {
        survive_unpacking(&bytes);
    }

    #[test]
    fn unpacking_undoes_packing(bytes in vec(prop_oneof![3 => Just(0), 5 => any::<u8>()], 0..6000)) {
        round_trip(&bytes);
    }

    #[test]
    fn unpacking_undoes_packing_of_dense_bytes(
        bytes in vec(prop_oneof![1 => Just(0), 60 => 1u8..], 0..6000)
    ) {
        round_trip(&bytes);
    }

    #[test]
    fn parsing_survives_anything(text in vec(any::<u8>(), 0..200)) {
        let _ = parse(&text);
    }

    #[test]
    fn parsing_survives_what_looks_like_a_schema(
        text in "([a-c]{1,2}|[.:{}#\n\\[\\]]| |0x?[0-9]{1,3}|[1-9]|string|byte|int32){0,60}"
    ) {
        let length = text.len();
        let (peak, parsed) = allocated(|| parse(text.as_bytes()));
        prop_assert!(peak < 1024 * (length + 4));
        if let Err(error) = parsed {
            let line = format!("{}: ", error.line);
            prop_assert!(error.to_string().starts_with(&line));
        }
    }

    #[test]
    fn parsing_survives_mutation(
        text in schema_text(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut text = text.into_bytes();
        for (at, byte) in changes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let _ = parse(&text);
    }
}

fn round_trip(bytes: &[u8]) {
    let mut packed = Vec::new();
    pack(bytes, &mut packed).unwrap();
    assert!(packed.len() <= pack_bound(bytes.len()));
    let mut unpacked = Vec::new();
    unpack(&packed, &mut unpacked).unwrap();
    assert_eq!(&unpacked[..bytes.len()], bytes);
    assert!(unpacked.len() < bytes.len() + 8);
    assert!(unpacked[bytes.len()..].iter().all(|&b| b == 0));
}
