//! The decoder of messages: it believes no size and allocates nothing, and what it has read can be
//! encoded and read again.

use std::sync::LazyLock;

use silly_cluster::zproto::{
    Builder, Field, Malformed, Reader, Schema, Sink, StructId, Value, decode, encode, pack, parse,
    unpack,
};

use crate::counting::allocated;

/// All kinds, shapes and ways to nest; gaps between tags, and a struct without fields.
pub const RICH: &str = include_str!("../rich.zproto");

static RICH_SCHEMA: LazyLock<Schema> = LazyLock::new(|| parse(RICH.as_bytes()).unwrap());

/// The first byte chooses a struct of [`RICH`], and the rest is a message of it; or there is none of
/// that number, and the rest is a schema text, a zero byte, and a message of its last struct.
pub fn check(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else { return };
    if let Some(&id) = RICH_SCHEMA.roots().get(usize::from(choice)) {
        return check_message(&RICH_SCHEMA, id, rest);
    }
    let Some(end) = rest.iter().position(|&byte| byte == 0) else { return };
    let (text, bytes) = (&rest[..end], &rest[end + 1..]);
    if let Ok(schema) = parse(text)
        && let Some(&id) = schema.roots().last()
    {
        check_message(&schema, id, bytes);
    }
}

/// Decodes what may be anything, and whatever comes of it.
pub fn check_message(schema: &Schema, id: StructId, bytes: &[u8]) {
    survive_decoding(schema, id, bytes);
    let Some((value, used)) = decoded(schema, id, bytes) else { return };
    let again = encoded(schema, id, &value);
    // Fields that the schema does not know are left out, and all but the last of equal map keys.
    assert!(again.len() <= used && used <= bytes.len());
    let value = without_nan(value);
    let read_back = |bytes: &[u8]| {
        let (back, used) = decoded(schema, id, bytes).unwrap();
        assert_eq!(used, again.len());
        assert_eq!(without_nan(back), value);
    };
    read_back(&again);
    read_back(&repacked(&again));
}

fn repacked(bytes: &[u8]) -> Vec<u8> {
    let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
    pack(bytes, &mut packed).unwrap();
    unpack(&packed, &mut unpacked).unwrap();
    unpacked
}

/// Must not panic, allocate, or believe sizes that it has not seen.
pub fn survive_decoding(schema: &Schema, id: StructId, bytes: &[u8]) {
    let mut tally = Tally::default();
    let (memory, _) = allocated(|| decode(schema, id, bytes, &mut tally));
    assert_eq!(memory, 0);
    // A field takes two bytes of header at least, a cheapest element one.
    assert!(tally.hinted <= bytes.len(), "{} for {} bytes", tally.hinted, bytes.len());
    assert!(tally.pushed <= bytes.len());
}

/// The bytes of a value, which are appended to what is there.
pub fn encoded(schema: &Schema, id: StructId, of: &Value) -> Vec<u8> {
    let mut out = b"kept".to_vec();
    encode(schema, id, &mut Reader::default(), of, &mut out).unwrap();
    assert_eq!(&out[..4], b"kept");
    out.split_off(4)
}

/// The value of some bytes and how many of them it took; nothing if they are malformed.
pub fn decoded(schema: &Schema, id: StructId, bytes: &[u8]) -> Option<(Value, usize)> {
    let mut builder = Builder::default();
    let used = decode(schema, id, bytes, &mut builder).ok()?;
    Some((builder.finish().unwrap(), used))
}

/// NaN is not equal to itself, and fields of it are all that can differ here.
pub fn without_nan(value: Value) -> Value {
    match value {
        Value::Float(number) if number.is_nan() => Value::Bytes(b"NaN".to_vec()),
        Value::Record(fields) => {
            Value::Record(fields.into_iter().map(|(k, v)| (k, without_nan(v))).collect())
        }
        Value::Array(all) => Value::Array(all.into_iter().map(without_nan).collect()),
        Value::Map(all) => Value::Map(all.into_iter().map(|(k, v)| (k, without_nan(v))).collect()),
        other => other,
    }
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
