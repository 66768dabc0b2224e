//! A plain Rust value for programs without Lua, the tests above all.
//!
//! It is kept simple rather than fast: one enum, and a stack of them to build on.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::decode::{Malformed, Sink};
use super::encode::{Source, Wrong, exact_integer};
use super::schema::Field;

/// What a message, a field or an element can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Bytes(Vec<u8>),
    /// A struct: its present fields by name.
    Record(BTreeMap<String, Value>),
    Array(Vec<Value>),
    /// A map; of equal keys the last counts when it is read back.
    Map(Vec<(Value, Value)>),
}

impl Value {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Integer(_) | Self::Float(_) => "number",
            Self::Bytes(_) => "string",
            Self::Record(_) | Self::Array(_) | Self::Map(_) => "table",
        }
    }

    fn wrong(&self, wanted: &'static str) -> Wrong {
        Wrong::Type { wanted, got: self.type_name() }
    }
}

/// Reads [`Value`]s for [`encode`](super::encode()).
#[derive(Debug, Default)]
pub struct Reader<'v>(PhantomData<&'v Value>);

impl<'v> Source for Reader<'v> {
    type Value = &'v Value;
    type Table = &'v Value;
    type Cursor = usize;

    fn body(&mut self, value: &'v Value) -> Result<&'v Value, Wrong> {
        self.table(value)
    }

    fn table(&mut self, value: &'v Value) -> Result<&'v Value, Wrong> {
        match value {
            Value::Record(_) | Value::Array(_) | Value::Map(_) => Ok(value),
            other => Err(other.wrong("table")),
        }
    }

    fn get(&mut self, table: &'v Value, field: &Field) -> Option<&'v Value> {
        match table {
            Value::Record(fields) => fields.get(field.name()),
            _ => None,
        }
    }

    fn element(&mut self, table: &'v Value, index: u32) -> Option<&'v Value> {
        match table {
            Value::Array(elements) => elements.get(index as usize - 1),
            Value::Map(entries) => {
                let key = Value::Integer(index.into());
                entries.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    fn first(&mut self, _: &'v Value) -> usize {
        0
    }

    fn next(&mut self, table: &'v Value, cursor: &mut usize) -> Option<&'v Value> {
        let at = *cursor;
        *cursor += 1;
        match table {
            Value::Array(elements) => elements.get(at),
            Value::Map(entries) => entries.get(at).map(|(_, value)| value),
            Value::Record(fields) => fields.values().nth(at),
            _ => None,
        }
    }

    fn release(&mut self, _: &'v Value) {}

    fn boolean(&mut self, value: &'v Value) -> Result<bool, Wrong> {
        match value {
            Value::Boolean(value) => Ok(*value),
            other => Err(other.wrong("boolean")),
        }
    }

    fn integer(&mut self, value: &'v Value) -> Result<i64, Wrong> {
        match value {
            Value::Integer(value) => Ok(*value),
            Value::Float(value) => exact_integer(*value).ok_or(Wrong::NotWhole),
            other => Err(other.wrong("number")),
        }
    }

    fn number(&mut self, value: &'v Value) -> Result<f64, Wrong> {
        match value {
            Value::Integer(value) => Ok(*value as f64),
            Value::Float(value) => Ok(*value),
            other => Err(other.wrong("number")),
        }
    }

    fn bytes(&mut self, value: &'v Value) -> Result<&[u8], Wrong> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(other.wrong("string")),
        }
    }
}

/// Builds a [`Value`] from what [`decode`](super::decode()) finds.
#[derive(Debug, Default)]
pub struct Builder {
    stack: Vec<Value>,
}

impl Builder {
    /// The finished value, once decoding has succeeded.
    pub fn finish(mut self) -> Option<Value> {
        self.stack.pop()
    }

    fn top(&mut self) -> Option<(Value, &mut Value)> {
        Some((self.stack.pop()?, self.stack.last_mut()?))
    }
}

impl Sink for Builder {
    fn open_struct(&mut self, _: usize) -> Result<(), Malformed> {
        self.stack.push(Value::Record(BTreeMap::new()));
        Ok(())
    }

    fn open_array(&mut self, _: usize) {
        self.stack.push(Value::Array(Vec::new()));
    }

    fn open_map(&mut self, _: usize) {
        self.stack.push(Value::Map(Vec::new()));
    }

    fn name(&mut self, field: &Field) {
        self.stack.push(Value::Bytes(field.name().into()));
    }

    fn boolean(&mut self, value: bool) {
        self.stack.push(Value::Boolean(value));
    }

    fn integer(&mut self, value: i64) {
        self.stack.push(Value::Integer(value));
    }

    fn float(&mut self, value: f64) {
        self.stack.push(Value::Float(value));
    }

    fn bytes(&mut self, value: &[u8]) {
        self.stack.push(Value::Bytes(value.into()));
    }

    fn store_field(&mut self) {
        let value = self.stack.pop();
        if let (Some(value), Some((Value::Bytes(name), Value::Record(fields)))) =
            (value, self.top())
        {
            fields.insert(String::from_utf8_lossy(&name).into_owned(), value);
        }
    }

    fn store_element(&mut self, _: u32) {
        if let Some((value, Value::Array(elements))) = self.top() {
            elements.push(value);
        }
    }

    fn store_entry(&mut self, key: &Field) -> Result<(), Malformed> {
        let Some((Value::Record(fields), Value::Map(entries))) = self.top() else {
            return Err(Malformed);
        };
        let key = fields.get(key.name()).ok_or(Malformed)?.clone();
        if matches!(key, Value::Float(number) if number.is_nan()) {
            return Err(Malformed);
        }
        // Linear, and so only for tests and small maps; duplicates replace earlier ones.
        entries.retain(|(other, _)| *other != key);
        entries.push((key, Value::Record(fields)));
        Ok(())
    }
}
