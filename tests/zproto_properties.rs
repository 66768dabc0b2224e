//! What must hold for all schemas, values and bytes, not only for the known ones. What must hold for
//! any bytes at all is what the fuzzers check, too.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "helpers are not exempt by themselves"
)]

// Public, as they are in the library that the fuzzers use.
#[path = "../fuzz/src/counting.rs"]
pub mod counting;
#[path = "../fuzz/src/message.rs"]
pub mod message;
#[path = "../fuzz/src/packing.rs"]
pub mod packing;
#[path = "../fuzz/src/schema.rs"]
pub mod schema;

use message::{decoded, encoded, without_nan};
use proptest::collection::vec;
use proptest::prelude::*;
use silly_cluster::zproto::{Kind, Schema, Shape, StructId, Value, parse};

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

/// A message as the fuzz target takes it: behind the text of its schema.
fn with_schema(text: &str, bytes: &[u8]) -> Vec<u8> {
    [b"\xff", text.as_bytes(), b"\0", bytes].concat()
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
        message::check(&with_schema(&text, &bytes));
        message::check(&with_schema(&text, &bytes[..cut.index(bytes.len())]));
    }

    #[test]
    fn decoding_survives_anything(text in schema_text(), bytes in vec(any::<u8>(), 0..300)) {
        message::check(&with_schema(&text, &bytes));
        // With a length that lets it get further than the first check.
        let headed = [&(bytes.len() as u32).to_le_bytes()[..], &bytes].concat();
        message::check(&with_schema(&text, &headed));
    }

    #[test]
    fn unpacking_survives_anything(bytes in vec(prop_oneof![Just(0xff), any::<u8>()], 0..2000)) {
        packing::check(&bytes);
    }

    #[test]
    fn unpacking_undoes_packing(bytes in vec(prop_oneof![3 => Just(0), 5 => any::<u8>()], 0..6000)) {
        packing::round_trip(&bytes);
    }

    #[test]
    fn unpacking_undoes_packing_of_dense_bytes(
        bytes in vec(prop_oneof![1 => Just(0), 60 => 1u8..], 0..6000)
    ) {
        packing::round_trip(&bytes);
    }

    #[test]
    fn parsing_survives_anything(text in vec(any::<u8>(), 0..200)) {
        schema::check(&text);
    }

    #[test]
    fn parsing_survives_what_looks_like_a_schema(
        text in "([a-c]{1,2}|[.:{}#\n\\[\\]]| |0x?[0-9]{1,3}|[1-9]|string|byte|int32){0,60}"
    ) {
        schema::check(text.as_bytes());
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
        schema::check(&text);
    }
}
