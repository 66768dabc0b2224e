//! Message bytes into values.
//!
//! Generic over [`Sink`], the steps in which a value is built, because the same walk serves Lua
//! tables and plain Rust values. The bytes come from strangers: every size is compared with what
//! is left before it is believed, and nothing here allocates or owns anything (a Lua sink may
//! leave by `longjmp` when memory runs out).

use super::MAX_DEPTH;
use super::schema::{Field, Kind, Schema, Shape, Struct, StructId};

/// Room made in advance for elements that may yet turn out to be missing.
const HINT: usize = 1024;

/// Builds values on behalf of [`decode`], as a machine with a stack.
///
/// After a failed decode the stack is left as it is; it is the caller who throws it away.
pub trait Sink {
    /// Pushes an empty table that will get up to this many fields. May refuse if there is no room.
    fn open_struct(&mut self, fields: usize) -> Result<(), Malformed>;
    /// Pushes an empty table that will get about this many elements.
    fn open_array(&mut self, elements: usize);
    /// Pushes an empty table that will get about this many entries.
    fn open_map(&mut self, entries: usize);
    /// Pushes the name of a field.
    fn name(&mut self, field: &Field);
    /// Pushes a boolean.
    fn boolean(&mut self, value: bool);
    /// Pushes an integer.
    fn integer(&mut self, value: i64);
    /// Pushes a floating-point number.
    fn float(&mut self, value: f64);
    /// Pushes a string of bytes.
    fn bytes(&mut self, value: &[u8]);
    /// Pops a value and the name below it, into the struct below them.
    fn store_field(&mut self);
    /// Pops a value into the array below it, as element `index`, from 1.
    fn store_element(&mut self, index: u32);
    /// Pops a struct into the map below it, under the value of its field `key`. A struct without
    /// that value, or a key that is not a number, is malformed.
    fn store_entry(&mut self, key: &Field) -> Result<(), Malformed>;
}

/// The bytes are not a message of the struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed message")
    }
}

impl std::error::Error for Malformed {}

/// Builds the message of struct `id` at the start of `bytes` and tells how many of them it took.
///
/// Reading of a (nested) message ends at the first tag its struct does not know, with success:
/// that is how old readers get on with new writers.
pub fn decode<K: Sink>(
    schema: &Schema,
    id: StructId,
    bytes: &[u8],
    sink: &mut K,
) -> Result<usize, Malformed> {
    let mut rest = bytes;
    let of = schema.get(id).ok_or(Malformed)?;
    Decoder { schema, sink }.message(of, &mut rest, 1)?;
    Ok(bytes.len() - rest.len())
}

struct Decoder<'a, K> {
    schema: &'a Schema,
    sink: &'a mut K,
}

impl<K: Sink> Decoder<'_, K> {
    fn message(&mut self, of: &Struct, rest: &mut &[u8], depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        let len = u32::from_le_bytes(take(rest)?);
        let mut data = take_slice(rest, len)?;
        let count = usize::from(u16::from_le_bytes(take(&mut data)?));
        let gaps = take_slice(&mut data, 2 * count as u32)?;
        self.sink.open_struct(count.min(of.fields.len()))?;
        let mut tag = u32::from(of.base);
        let mut next = 0;
        for gap in gaps.as_chunks().0 {
            // 65535 gaps of 65535 still fit 32 bits.
            tag += u32::from(u16::from_le_bytes(*gap)) + 1;
            let Some((at, field)) = of.find(tag, next) else { break };
            next = at + 1;
            self.sink.name(field);
            self.field(field, &mut data, depth)?;
            self.sink.store_field();
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, data: &mut &[u8], depth: usize) -> Result<(), Malformed> {
        if field.shape == Shape::One {
            return self.value(field.kind, data, depth);
        }
        let count = u32::from_le_bytes(take(data)?);
        // A negative count can only be a fault, and elements need at least their headers.
        let least = u64::from(count) * field.kind.least_size() as u64;
        if count > i32::MAX as u32 || least > data.len() as u64 {
            return Err(Malformed);
        }
        let hint = match field.kind.is_scalar() {
            true => count as usize,
            false => (count as usize).min(HINT),
        };
        if field.shape == Shape::Array {
            self.sink.open_array(hint);
            for index in 1..=count {
                self.value(field.kind, data, depth)?;
                self.sink.store_element(index);
            }
        } else {
            let key = self.schema.map_key(field).ok_or(Malformed)?;
            self.sink.open_map(hint);
            for _ in 0..count {
                self.value(field.kind, data, depth)?;
                self.sink.store_entry(key)?;
            }
        }
        Ok(())
    }

    #[inline]
    fn value(&mut self, kind: Kind, data: &mut &[u8], depth: usize) -> Result<(), Malformed> {
        match kind {
            Kind::Boolean => self.sink.boolean(take::<1>(data)?[0] != 0),
            Kind::Byte => self.sink.integer(i8::from_le_bytes(take(data)?).into()),
            Kind::UByte => self.sink.integer(u8::from_le_bytes(take(data)?).into()),
            Kind::Short => self.sink.integer(i16::from_le_bytes(take(data)?).into()),
            Kind::UShort => self.sink.integer(u16::from_le_bytes(take(data)?).into()),
            Kind::Int32 => self.sink.integer(i32::from_le_bytes(take(data)?).into()),
            Kind::UInt32 => self.sink.integer(u32::from_le_bytes(take(data)?).into()),
            // Lua has no unsigned integers: the same bits, signed.
            Kind::Int64 | Kind::UInt64 => self.sink.integer(i64::from_le_bytes(take(data)?)),
            Kind::Float => self.sink.float(f32::from_le_bytes(take(data)?).into()),
            Kind::String | Kind::Blob => {
                let len = u32::from_le_bytes(take(data)?);
                let bytes = take_slice(data, len)?;
                self.sink.bytes(bytes);
            }
            Kind::Struct(id) => {
                let of = self.schema.get(id).ok_or(Malformed)?;
                return self.message(of, data, depth + 1);
            }
        }
        Ok(())
    }
}

#[inline]
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Malformed)?;
    *rest = tail;
    Ok(*head)
}

#[inline]
fn take_slice<'b>(rest: &mut &'b [u8], len: u32) -> Result<&'b [u8], Malformed> {
    let len = usize::try_from(len).map_err(|_| Malformed)?;
    let (head, tail) = rest.split_at_checked(len).ok_or(Malformed)?;
    *rest = tail;
    Ok(head)
}
