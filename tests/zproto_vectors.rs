//! Known messages, byte by byte: what peers that speak zproto have always exchanged.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    reason = "helpers are not exempt by themselves"
)]

use std::collections::BTreeMap;

use serde_json::Value as Json;
use silly_cluster::zproto::{
    Builder, Kind, ParseFault, Reader, Schema, Shape, StructId, Value, decode, encode, pack, parse,
    unpack,
};

fn section(name: &str) -> Vec<Json> {
    let text = include_str!("data/zproto-vectors.json");
    let all: Json = serde_json::from_str(text).unwrap();
    let entries = all[name].as_array().unwrap().clone();
    assert!(!entries.is_empty());
    entries
}

fn unhex(text: &Json) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn schema(text: &Json) -> Schema {
    parse(text.as_str().unwrap().as_bytes()).unwrap()
}

fn typ(schema: &Schema, typ: &Json) -> StructId {
    match typ {
        Json::String(name) => schema.by_name(name.as_bytes()).unwrap(),
        tag => schema.by_tag(tag.as_i64().unwrap() as i32).unwrap(),
    }
}

/// The notation of the data: `{"int": …}`, `{"float": …}`, `{"hex": …}`, `{"map": […]}` and
/// `{"luatable": […]}` stand for what JSON lacks; other objects are structs.
fn value(json: &Json) -> Value {
    match json {
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(value) => Value::Integer(value.as_i64().unwrap()),
        Json::String(text) => Value::Bytes(text.as_bytes().into()),
        Json::Array(elements) => Value::Array(elements.iter().map(value).collect()),
        Json::Object(fields) if fields.len() == 1 => {
            let (key, inner) = fields.iter().next().unwrap();
            match (key.as_str(), inner) {
                ("int", Json::String(text)) => Value::Integer(text.parse().unwrap()),
                ("float", Json::String(text)) => Value::Float(text.parse().unwrap()),
                ("hex", Json::String(_)) => Value::Bytes(unhex(inner)),
                ("map" | "luatable", Json::Array(pairs)) => {
                    Value::Map(pairs.iter().map(|p| (value(&p[0]), value(&p[1]))).collect())
                }
                _ => record(fields),
            }
        }
        Json::Object(fields) => record(fields),
        Json::Null => unreachable!(),
    }
}

fn record(fields: &serde_json::Map<String, Json>) -> Value {
    Value::Record(fields.iter().map(|(k, v)| (k.clone(), value(v))).collect::<BTreeMap<_, _>>())
}

/// Equality as Lua sees it: maps have no order, empty tables are alike, 2 is 2.0. And NaN is NaN.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Value::Integer(a), Value::Float(b)) | (Value::Float(b), Value::Integer(a)) => {
            *a as f64 == *b
        }
        (Value::Record(a), Value::Record(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let inside = |k, v| b.iter().any(|(l, w)| same(k, l) && same(v, w));
            a.len() == b.len() && a.iter().all(|(k, v)| inside(k, v))
        }
        (Value::Array(a), Value::Map(b)) | (Value::Map(b), Value::Array(a)) => {
            a.is_empty() && b.is_empty()
        }
        (Value::Array(a), Value::Record(b)) | (Value::Record(b), Value::Array(a)) => {
            a.is_empty() && b.is_empty()
        }
        _ => a == b,
    }
}

fn encoded(schema: &Schema, id: StructId, of: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode(schema, id, &mut Reader::default(), of, &mut out).unwrap();
    out
}

fn decoded(schema: &Schema, id: StructId, bytes: &[u8]) -> Option<(Value, usize)> {
    let mut builder = Builder::default();
    let used = decode(schema, id, bytes, &mut builder).ok()?;
    Some((builder.finish().unwrap(), used))
}

/// Checks the outcome of decoding `bytes` against the `decoded` and `consumed` of an entry.
fn check_decoded(entry: &Json, schema: &Schema, id: StructId, bytes: &[u8]) {
    let name = &entry["id"];
    match (decoded(schema, id, bytes), &entry["decoded"]) {
        (None, Json::Null) => assert_eq!(entry["consumed"], -3, "{name}"),
        (Some((got, used)), expected) if !expected.is_null() => {
            assert!(same(&got, &value(expected)), "{name}: {got:?}");
            assert_eq!(used as i64, entry["consumed"].as_i64().unwrap(), "{name}");
        }
        (got, _) => panic!("{name}: {got:?}"),
    }
}

#[test]
fn messages() {
    for entry in section("vectors") {
        let name = &entry["id"];
        let schema = schema(&entry["schema"]);
        let id = typ(&schema, &entry["type"]);
        let bytes = unhex(&entry["encoded_hex"]);
        // A platform's own NaN has either sign.
        if !name.as_str().unwrap().contains("nan") && entry["order_unspecified"].is_null() {
            assert_eq!(encoded(&schema, id, &value(&entry["value"])), bytes, "{name}");
        }
        check_decoded(&entry, &schema, id, &bytes);
        check_decoded(&entry, &schema, id, &unhex(&entry["unpacked_hex"]));

        let mut packed = Vec::new();
        pack(&bytes, &mut packed).unwrap();
        assert_eq!(packed, unhex(&entry["packed_hex"]), "{name}");
        let mut unpacked = Vec::new();
        unpack(&packed, &mut unpacked).unwrap();
        assert_eq!(unpacked, unhex(&entry["unpacked_hex"]), "{name}");
    }
}

#[test]
fn the_sign_of_nan_is_kept() {
    let schema = parse(b"x { .f:float 1 }").unwrap();
    let id = schema.by_name(b"x").unwrap();
    for (nan, last) in [(f64::NAN.copysign(1.0), 0x7f), (f64::NAN.copysign(-1.0), 0xff)] {
        let of = Value::Record([("f".to_string(), Value::Float(nan))].into());
        assert_eq!(encoded(&schema, id, &of).last(), Some(&last));
    }
}

#[test]
fn readers_of_other_schemas() {
    for entry in section("compat") {
        let (writer, reader) = (schema(&entry["writer_schema"]), schema(&entry["reader_schema"]));
        let bytes = unhex(&entry["encoded_hex"]);
        let of = value(&entry["value"]);
        assert_eq!(encoded(&writer, typ(&writer, &entry["type"]), &of), bytes, "{}", entry["id"]);
        check_decoded(&entry, &reader, typ(&reader, &entry["type"]), &bytes);
    }
}

#[test]
fn hand_made_messages() {
    for entry in section("decode") {
        let schema = schema(&entry["schema"]);
        let id = typ(&schema, &entry["type"]);
        check_decoded(&entry, &schema, id, &unhex(&entry["input_hex"]));
    }
}

#[test]
fn packing() {
    for entry in section("pack") {
        let mut packed = Vec::new();
        pack(&unhex(&entry["raw_hex"]), &mut packed).unwrap();
        assert_eq!(packed, unhex(&entry["packed_hex"]), "{}", entry["id"]);
        let mut unpacked = Vec::new();
        unpack(&packed, &mut unpacked).unwrap();
        assert_eq!(unpacked, unhex(&entry["unpacked_hex"]), "{}", entry["id"]);
    }
}

#[test]
fn hand_made_packed_bytes() {
    for entry in section("unpack") {
        let mut out = Vec::new();
        let unpacked = unpack(&unhex(&entry["packed_hex"]), &mut out);
        let expected = (!entry["result_hex"].is_null()).then(|| unhex(&entry["result_hex"]));
        assert_eq!(unpacked.ok().map(|()| out), expected, "{}", entry["id"]);
    }
}

fn code(fault: &ParseFault) -> &'static str {
    match fault {
        ParseFault::Unexpected { .. } => "UNEXPECTED_TOKEN",
        ParseFault::UnexpectedEnd { .. } => "UNEXPECTED_END",
        ParseFault::NameTooLong => "NAME_TOO_LONG",
        ParseFault::NumberTooLong => "NUMBER_TOO_LONG",
        ParseFault::NestedTooDeep => "NESTED_TOO_DEEP",
        ParseFault::DuplicateStruct(_) => "DUPLICATE_STRUCT",
        ParseFault::DuplicateProtocolTag(_) => "DUPLICATE_PROTOCOL_TAG",
        ParseFault::DuplicateField(_) => "DUPLICATE_FIELD",
        ParseFault::FieldTagZero(_) => "FIELD_TAG_ZERO",
        ParseFault::FieldTagTooBig(_) => "FIELD_TAG_TOO_BIG",
        ParseFault::FieldTagNotAscending(_) => "FIELD_TAG_NOT_ASCENDING",
        ParseFault::UnknownType(_) => "UNKNOWN_TYPE",
        ParseFault::MapOfNonStruct(_) => "MAP_OF_NON_STRUCT",
        ParseFault::MapKeyUnknown { .. } => "MAP_KEY_UNKNOWN_FIELD",
        ParseFault::MapKeyIsStruct { .. } => "MAP_KEY_IS_STRUCT",
        ParseFault::MapKeyIsArray { .. } => "MAP_KEY_IS_ARRAY",
    }
}

#[test]
fn schemas() {
    for entry in section("parse") {
        let name = &entry["id"];
        let text = match &entry["schema"] {
            Json::String(text) => text.clone().into_bytes(),
            hex => unhex(&hex["hex"]),
        };
        match parse(&text) {
            Ok(schema) => assert_eq!(structs(&schema, schema.roots()), entry["structs"], "{name}"),
            Err(error) => {
                let expected = &entry["error"];
                assert_eq!(code(&error.fault), expected["code"], "{name}");
                assert_eq!(error.line, expected["line"].as_i64().unwrap() as u32, "{name}");
                if let ParseFault::Unexpected { wanted, found } = &error.fault {
                    assert_eq!(found, expected["found"].as_str().unwrap(), "{name}");
                    assert_eq!(wanted.trim_matches('\''), expected["expected"], "{name}");
                }
            }
        }
    }
}

/// A schema in the notation of the data.
fn structs(schema: &Schema, ids: &[StructId]) -> Json {
    let each = ids.iter().map(|&id| {
        let of = schema.get(id).unwrap();
        let fields = of.fields().iter().map(|field| {
            let mut json = serde_json::json!({
                "name": field.name(),
                "type": schema.type_name(field.kind()),
                "tag": field.tag(),
                "array": field.shape() != Shape::One,
            });
            if let Some(key) = schema.map_key(field) {
                json["mapkey"] = key.name().into();
            }
            json
        });
        let fields: Vec<Json> = fields.collect();
        serde_json::json!({ "name": of.name(), "tag": of.tag(), "fields": fields })
    });
    each.collect()
}

#[test]
fn deep_schemas() {
    let nested = |n: usize| [b"a{".repeat(n), b"}".repeat(n)].concat();
    assert!(parse(&nested(10_000)).is_ok());
    let error = parse(&nested(100_000)).unwrap_err();
    assert_eq!(error.fault, ParseFault::NestedTooDeep);
}

/// `levels` structs, each in a field `c` of the next; the innermost is `s1`.
fn tower(levels: usize) -> Schema {
    let mut text = "s1 { .v:int32 1 }\n".to_string();
    for n in 2..=levels {
        text += &format!("s{n} {{ .v:int32 1 .c:s{} 2 }}\n", n - 1);
    }
    parse(text.as_bytes()).unwrap()
}

fn tower_value(levels: usize) -> Value {
    let mut value: Option<Value> = None;
    for n in 1..=levels {
        let mut fields = BTreeMap::from([("v".to_string(), Value::Integer(n as i64))]);
        fields.extend(value.map(|inner| ("c".to_string(), inner)));
        value = Some(Value::Record(fields));
    }
    value.unwrap()
}

#[test]
fn sixty_four_levels_and_no_more() {
    // On a thread with little stack: the walks are bounded by the levels.
    let run = || {
        let schema = tower(66);
        let id = schema.by_name(b"s64").unwrap();
        let bytes = encoded(&schema, id, &tower_value(64));
        assert_eq!(decoded(&schema, id, &bytes), Some((tower_value(64), bytes.len())));

        let id = schema.by_name(b"s65").unwrap();
        let mut out = Vec::new();
        let deep = tower_value(65);
        assert!(encode(&schema, id, &mut Reader::default(), &deep, &mut out).is_err());
        // One level more around the good message.
        let mut deeper = vec![];
        deeper.extend((bytes.len() as u32 + 4).to_le_bytes());
        deeper.extend([1, 0, 1, 0]);
        deeper.extend(bytes);
        assert_eq!(decoded(&schema, id, &deeper), None);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn all_tags_work() {
    let text = b"x { .a:int32 1 .b:int32 32767 .c:int32 32768 .d:int32 40000 .e:int32 65535 }";
    let schema = parse(text).unwrap();
    let id = schema.by_name(b"x").unwrap();
    let names = ["a", "b", "c", "d", "e"];
    for present in 0..32u32 {
        let present = (0..5).filter(|i| present >> i & 1 == 1);
        let fields = present.map(|i| (names[i].to_string(), Value::Integer(i as i64 - 2)));
        let of = Value::Record(fields.collect());
        let bytes = encoded(&schema, id, &of);
        assert_eq!(decoded(&schema, id, &bytes), Some((of, bytes.len())));
    }
}

#[test]
fn float_keys_that_are_no_number_are_refused() {
    let schema = parse(b"k { .f:float 1 } x { .m:k[f] 1 }").unwrap();
    let id = schema.by_name(b"x").unwrap();
    let key = Value::Record([("f".to_string(), Value::Float(f64::NAN))].into());
    let of = Value::Record([("m".to_string(), Value::Array(vec![key]))].into());
    assert_eq!(decoded(&schema, id, &encoded(&schema, id, &of)), None);
}

#[test]
fn kinds_have_names() {
    let schema = parse(b"x { y { .a:byte[] 1 } .b:y 1 }").unwrap();
    let x = schema.get(schema.by_name(b"x").unwrap()).unwrap();
    assert_eq!(schema.type_name(x.fields()[0].kind()), "y");
    let y = schema.get(x.children()[0]).unwrap();
    assert_eq!(y.fields()[0].kind(), Kind::String);
}
