//! What a schema text means: structs, their fields and the ways to look them up.
//!
//! Separate from the parser because everything else only reads it. Structs live in one arena and
//! refer to each other by number, so that dropping a deeply nested schema does not recurse.

use std::sync::Arc;

use rustc_hash::FxHashMap;

/// Struct definitions that may be open at once. This limits what is *defined* inside one another;
/// how deep messages go is the business of [`MAX_DEPTH`](super::MAX_DEPTH).
pub const MAX_NESTING: usize = 10_000;

/// The place of a struct in its [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StructId(pub(super) u32);

impl StructId {
    /// The number behind the id, for callers that can keep only numbers.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The place of a field name among [`Schema::names`]. Equal names of one schema share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameId(pub(super) u32);

impl NameId {
    /// Index into [`Schema::names`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What one value of a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Byte,
    UByte,
    Short,
    UShort,
    Int32,
    UInt32,
    Int64,
    UInt64,
    Float,
    String,
    Blob,
    /// A nested message of this struct.
    Struct(StructId),
}

impl Kind {
    /// The built-in type that a schema calls `name`.
    pub(super) fn builtin(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "byte" => Self::Byte,
            "ubyte" => Self::UByte,
            "short" => Self::Short,
            "ushort" => Self::UShort,
            "int32" | "integer" => Self::Int32,
            "uint32" | "uinteger" => Self::UInt32,
            "int64" | "long" => Self::Int64,
            "uint64" | "ulong" => Self::UInt64,
            "float" => Self::Float,
            "string" => Self::String,
            "blob" => Self::Blob,
            _ => return None,
        })
    }

    /// The least number of bytes one value takes, which for scalars is also the greatest.
    pub(super) fn least_size(self) -> usize {
        match self {
            Self::Boolean | Self::Byte | Self::UByte => 1,
            Self::Short | Self::UShort => 2,
            Self::Int32 | Self::UInt32 | Self::Float | Self::String | Self::Blob => 4,
            Self::Int64 | Self::UInt64 => 8,
            Self::Struct(_) => 6,
        }
    }

    /// Whether every value takes exactly [`Kind::least_size`] bytes.
    pub(super) fn is_scalar(self) -> bool {
        !matches!(self, Self::String | Self::Blob | Self::Struct(_))
    }
}

/// How many values a field holds, and how they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Exactly one.
    One,
    /// A sequence.
    Array,
    /// A table of structs by the value of one of their fields, which is field number `key` of the
    /// struct. On the wire this is an array.
    Map { key: usize },
}

/// One field of a struct.
#[derive(Debug)]
pub struct Field {
    pub(super) name: Arc<str>,
    pub(super) name_id: NameId,
    pub(super) tag: u16,
    pub(super) kind: Kind,
    pub(super) shape: Shape,
}

impl Field {
    /// The name, plain ASCII.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the name within the schema.
    pub fn name_id(&self) -> NameId {
        self.name_id
    }

    /// The number that stands for the field on the wire, 1 to 65535.
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// What one value is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether there is one value, a sequence or a map of them.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

/// A struct, at the top level or nested.
#[derive(Debug)]
pub struct Struct {
    pub(super) name: Arc<str>,
    pub(super) tag: i32,
    pub(super) fields: Vec<Field>,
    pub(super) by_name: FxHashMap<NameId, usize>,
    pub(super) children: Vec<StructId>,
    /// What the first gap of a message counts from: the lowest declared tag, less one.
    pub(super) base: u16,
}

impl Struct {
    /// The name, plain ASCII.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The protocol tag; 0 when the struct has none.
    pub fn tag(&self) -> i32 {
        self.tag
    }

    /// The fields, by ascending tag.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The structs defined inside this one, in order.
    pub fn children(&self) -> &[StructId] {
        &self.children
    }

    /// The field with this tag, at or after place `from`, and its place.
    ///
    /// A message names its fields in ascending order, so the next field is nearly always the one
    /// wanted; after that, the place a field has when no tag is skipped. Only then a search.
    #[inline]
    pub(super) fn find(&self, tag: u32, from: usize) -> Option<(usize, &Field)> {
        let at = |place: usize| match self.fields.get(place) {
            Some(field) if u32::from(field.tag) == tag => Some((place, field)),
            _ => None,
        };
        let dense = || at((tag as usize).wrapping_sub(usize::from(self.base) + 1));
        let search = || {
            let rest = self.fields.get(from..)?;
            let found = rest.binary_search_by_key(&tag, |field| u32::from(field.tag)).ok()?;
            at(from + found)
        };
        at(from).or_else(dense).or_else(search)
    }
}

/// A parsed schema.
#[derive(Debug, Default)]
pub struct Schema {
    pub(super) structs: Vec<Struct>,
    pub(super) roots: Vec<StructId>,
    pub(super) by_name: FxHashMap<Arc<str>, StructId>,
    pub(super) by_tag: FxHashMap<i32, StructId>,
    pub(super) names: Vec<Arc<str>>,
}

impl Schema {
    /// The top-level structs, in the order of their definition.
    pub fn roots(&self) -> &[StructId] {
        &self.roots
    }

    /// The top-level struct of this name.
    pub fn by_name(&self, name: &[u8]) -> Option<StructId> {
        self.by_name.get(std::str::from_utf8(name).ok()?).copied()
    }

    /// The top-level struct with this protocol tag. Tag 0 is no tag and finds nothing.
    pub fn by_tag(&self, tag: i32) -> Option<StructId> {
        self.by_tag.get(&tag).copied()
    }

    /// The struct at `id`, or `None` for an id of another schema that does not fit this one.
    pub fn get(&self, id: StructId) -> Option<&Struct> {
        self.structs.get(id.0 as usize)
    }

    /// The struct with this [`StructId::get`] number.
    pub fn by_index(&self, index: u32) -> Option<StructId> {
        ((index as usize) < self.structs.len()).then_some(StructId(index))
    }

    /// All the different field names, at the places their [`NameId`]s tell.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// The type of a field as a schema would write it, without `[]`, aliases resolved.
    pub fn type_name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Boolean => "boolean",
            Kind::Byte => "byte",
            Kind::UByte => "ubyte",
            Kind::Short => "short",
            Kind::UShort => "ushort",
            Kind::Int32 => "int32",
            Kind::UInt32 => "uint32",
            Kind::Int64 => "int64",
            Kind::UInt64 => "uint64",
            Kind::Float => "float",
            Kind::String => "string",
            Kind::Blob => "blob",
            Kind::Struct(id) => self.get(id).map_or("", |s| &s.name),
        }
    }

    /// The field whose value is the key of map `field`; `None` when it is no map.
    pub fn map_key(&self, field: &Field) -> Option<&Field> {
        match (field.shape, field.kind) {
            (Shape::Map { key }, Kind::Struct(id)) => self.get(id)?.fields.get(key),
            _ => None,
        }
    }
}
