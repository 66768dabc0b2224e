//! Values into message bytes.
//!
//! Generic over [`Source`], the questions a value must answer, because the same walk serves Lua
//! tables and plain Rust values. A Lua source leaves by `longjmp` when a metamethod raises an
//! error, so nothing here owns anything: the output belongs to the caller, and errors are plain
//! values that refer to the schema.

use std::fmt;

use super::MAX_DEPTH;
use super::schema::{Field, Kind, Schema, Shape, Struct, StructId};

/// Reads values on behalf of [`encode`].
///
/// Values handed out by [`get`](Source::get), [`element`](Source::element) and
/// [`next`](Source::next) are given back through [`release`](Source::release), last one first.
pub trait Source {
    /// Any value.
    type Value: Copy;
    /// A value that has fields or elements.
    type Table: Copy;
    /// A place in the traversal of a table.
    type Cursor;

    /// What the message is made of. Unlike nested structs it need not be a table; a source may
    /// refuse what cannot be asked for fields at all.
    fn body(&mut self, value: Self::Value) -> Result<Self::Table, Wrong>;
    /// `value` as a table.
    fn table(&mut self, value: Self::Value) -> Result<Self::Table, Wrong>;
    /// The value of a field, `None` if it is missing.
    fn get(&mut self, table: Self::Table, field: &Field) -> Option<Self::Value>;
    /// Element `index`, from 1, of a sequence, `None` past its end.
    fn element(&mut self, table: Self::Table, index: u32) -> Option<Self::Value>;
    /// Starts a traversal of all the values of a table.
    fn first(&mut self, table: Self::Table) -> Self::Cursor;
    /// The next value of a traversal. After `None` it must not be asked again.
    fn next(&mut self, table: Self::Table, cursor: &mut Self::Cursor) -> Option<Self::Value>;
    /// The value will not be used any more.
    fn release(&mut self, value: Self::Value);

    /// `value` as a boolean.
    fn boolean(&mut self, value: Self::Value) -> Result<bool, Wrong>;
    /// `value` as an integer; a fraction is [`Wrong::NotWhole`].
    fn integer(&mut self, value: Self::Value) -> Result<i64, Wrong>;
    /// `value` as a number.
    fn number(&mut self, value: Self::Value) -> Result<f64, Wrong>;
    /// `value` as a string of bytes.
    fn bytes(&mut self, value: Self::Value) -> Result<&[u8], Wrong>;
}

/// Why a [`Source`] could not give what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The value is of another type.
    Type { wanted: &'static str, got: &'static str },
    /// The number has no exact representation as a 64-bit integer.
    NotWhole,
    /// There is no memory to look at the value.
    Memory,
}

/// Why a value could not be encoded, and in which field.
#[derive(Clone, Copy, Debug)]
pub struct EncodeError<'s> {
    /// The innermost field concerned; `None` for the message as a whole.
    pub field: Option<&'s Field>,
    /// What is wrong.
    pub fault: EncodeFault,
}

/// The ways in which encoding can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeFault {
    /// The value does not suit the field.
    Value(Wrong),
    /// More than [`MAX_DEPTH`] structs inside one another.
    TooDeep,
    /// A message, string or array beyond what 32-bit sizes can express.
    TooLarge,
    /// There is no memory for the output.
    Memory,
}

impl fmt::Display for EncodeError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.field {
            write!(f, "field '{}': ", field.name())?;
        }
        match self.fault {
            EncodeFault::Value(Wrong::Type { wanted, got }) => {
                write!(f, "{wanted} expected, got {got}")
            }
            EncodeFault::Value(Wrong::NotWhole) => {
                f.write_str("number has no integer representation")
            }
            EncodeFault::TooDeep => write!(f, "structs nested deeper than {MAX_DEPTH}"),
            EncodeFault::TooLarge => f.write_str("message too large"),
            EncodeFault::Value(Wrong::Memory) | EncodeFault::Memory => {
                f.write_str("not enough memory")
            }
        }
    }
}

impl std::error::Error for EncodeError<'_> {}

/// Appends the message of struct `id` made of `value` to `out`.
///
/// After an error `out` holds a part of the message.
pub fn encode<'s, S: Source>(
    schema: &'s Schema,
    id: StructId,
    source: &mut S,
    value: S::Value,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError<'s>> {
    let mut encoder = Encoder { schema, source, out };
    let Some(of) = schema.get(id) else {
        return Ok(());
    };
    // The body of a struct without fields is never looked at.
    let table = match of.fields.is_empty() {
        true => None,
        false => Some(
            encoder
                .source
                .body(value)
                .map_err(|wrong| EncodeError { field: None, fault: EncodeFault::Value(wrong) })?,
        ),
    };
    encoder.message(of, table, 1)
}

/// The integer that a floating-point number is exactly, if there is one of 64 bits.
pub fn exact_integer(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let fits = (-LIMIT..LIMIT).contains(&value) && value.trunc() == value;
    fits.then_some(value as i64)
}

struct Encoder<'a, 's, S> {
    schema: &'s Schema,
    source: &'a mut S,
    out: &'a mut Vec<u8>,
}

impl<'s, S: Source> Encoder<'_, 's, S> {
    fn message(
        &mut self,
        of: &'s Struct,
        table: Option<S::Table>,
        depth: usize,
    ) -> Result<(), EncodeError<'s>> {
        let start = self.out.len();
        // Room for the gaps of all the fields. How many are present is known in the end only, and
        // asking each field twice would cost more than closing the gap between header and data.
        let room = 6 + 2 * of.fields.len();
        whole(self.reserve(room))?;
        self.out.resize(start + room, 0);
        let mut gaps = start + 6;
        let mut last = of.base;
        if let Some(table) = table {
            for field in &of.fields {
                let Some(value) = self.source.get(table, field) else {
                    continue;
                };
                let gap = field.tag - last - 1;
                self.put_at(gaps, gap.to_le_bytes());
                gaps += 2;
                last = field.tag;
                self.field(field, value, depth)?;
                self.source.release(value);
            }
        }
        if gaps < start + room {
            self.out.copy_within(start + room.., gaps);
            self.out.truncate(self.out.len() - (start + room - gaps));
        }
        let Ok(len) = u32::try_from(self.out.len() - start - 4) else {
            return whole(Err(EncodeFault::TooLarge));
        };
        // A struct has at most 65535 fields: their tags differ.
        let count = ((gaps - start - 6) / 2) as u16;
        self.put_at(start, len.to_le_bytes());
        self.put_at(start + 4, count.to_le_bytes());
        Ok(())
    }

    fn field(
        &mut self,
        field: &'s Field,
        value: S::Value,
        depth: usize,
    ) -> Result<(), EncodeError<'s>> {
        if field.shape == Shape::One {
            return self.value(field, value, depth);
        }
        let table = within(field, self.source.table(value).map_err(EncodeFault::Value))?;
        let start = self.out.len();
        within(field, self.put([0; 4]))?;
        let mut count = 0u32;
        if field.shape == Shape::Array {
            while let Some(element) = self.source.element(table, count.wrapping_add(1)) {
                count = within(field, counted(count))?;
                self.value(field, element, depth)?;
                self.source.release(element);
            }
        } else {
            let mut cursor = self.source.first(table);
            while let Some(element) = self.source.next(table, &mut cursor) {
                count = within(field, counted(count))?;
                self.value(field, element, depth)?;
                self.source.release(element);
            }
        }
        self.put_at(start, count.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn value(
        &mut self,
        field: &'s Field,
        value: S::Value,
        depth: usize,
    ) -> Result<(), EncodeError<'s>> {
        if let Kind::Struct(id) = field.kind {
            let table = within(field, self.source.table(value).map_err(EncodeFault::Value))?;
            if depth == MAX_DEPTH {
                return within(field, Err(EncodeFault::TooDeep));
            }
            let Some(of) = self.schema.get(id) else {
                return Ok(());
            };
            return self.message(of, Some(table), depth + 1);
        }
        within(field, self.scalar(field.kind, value))
    }

    /// Integers that do not fit are cut to their low bits, as peers expect.
    #[inline]
    fn scalar(&mut self, kind: Kind, value: S::Value) -> Result<(), EncodeFault> {
        match kind {
            Kind::Boolean => {
                let value = self.source.boolean(value)?;
                self.put([u8::from(value)])
            }
            Kind::Byte | Kind::UByte => {
                let value = self.source.integer(value)?;
                self.put((value as u8).to_le_bytes())
            }
            Kind::Short | Kind::UShort => {
                let value = self.source.integer(value)?;
                self.put((value as u16).to_le_bytes())
            }
            Kind::Int32 | Kind::UInt32 => {
                let value = self.source.integer(value)?;
                self.put((value as u32).to_le_bytes())
            }
            Kind::Int64 | Kind::UInt64 => {
                let value = self.source.integer(value)?;
                self.put(value.to_le_bytes())
            }
            Kind::Float => {
                let value = self.source.number(value)?;
                // The sign of a NaN is kept on the wire; a plain cast does not promise that.
                let sign = if value.is_sign_negative() { -1.0 } else { 1.0 };
                self.put((value as f32).copysign(sign).to_le_bytes())
            }
            Kind::String | Kind::Blob => {
                let bytes = self.source.bytes(value)?;
                let Ok(len) = u32::try_from(bytes.len()) else {
                    return Err(EncodeFault::TooLarge);
                };
                reserve(self.out, 4 + bytes.len())?;
                self.out.extend_from_slice(&len.to_le_bytes());
                self.out.extend_from_slice(bytes);
                Ok(())
            }
            Kind::Struct(_) => Ok(()),
        }
    }

    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), EncodeFault> {
        self.reserve(N)?;
        self.out.extend_from_slice(&bytes);
        Ok(())
    }

    /// Writes over what was put here before its value was known.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "the place is one that `message` or `field` filled"
    )]
    fn put_at<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.out[at..at + N].copy_from_slice(&bytes);
    }

    #[inline]
    fn reserve(&mut self, more: usize) -> Result<(), EncodeFault> {
        reserve(self.out, more)
    }
}

/// Makes room in `out`: running out of memory must end in an error, not in the end of the process.
#[inline]
fn reserve(out: &mut Vec<u8>, more: usize) -> Result<(), EncodeFault> {
    if out.capacity() - out.len() >= more { Ok(()) } else { grow(out, more) }
}

#[cold]
fn grow(out: &mut Vec<u8>, more: usize) -> Result<(), EncodeFault> {
    // Also what stops an array whose `__index` never ends.
    if out.len() as u64 + more as u64 > u64::from(u32::MAX) + 4 {
        return Err(EncodeFault::TooLarge);
    }
    out.try_reserve(more).map_err(|_| EncodeFault::Memory)
}

/// One element more, if readers will still take the count for a positive number.
#[inline]
fn counted(count: u32) -> Result<u32, EncodeFault> {
    if count < i32::MAX as u32 { Ok(count + 1) } else { Err(EncodeFault::TooLarge) }
}

impl From<Wrong> for EncodeFault {
    fn from(wrong: Wrong) -> Self {
        Self::Value(wrong)
    }
}

#[inline]
fn within<T>(field: &Field, result: Result<T, EncodeFault>) -> Result<T, EncodeError<'_>> {
    result.map_err(|fault| EncodeError { field: Some(field), fault })
}

#[inline]
fn whole<'s, T>(result: Result<T, EncodeFault>) -> Result<T, EncodeError<'s>> {
    result.map_err(|fault| EncodeError { field: None, fault })
}
