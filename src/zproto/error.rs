//! Why a schema text was refused. Separate from the parser so that the wording of all the
//! messages is in one place.

use std::fmt;

use super::schema::MAX_NESTING;

/// A fault in a schema text. The first one ends the parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line the reader had reached, from 1. Blanks and comments may lie between the culprit
    /// and it.
    pub line: u32,
    /// What is wrong.
    pub fault: ParseFault,
}

/// The ways in which a schema text can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseFault {
    /// Something else was due here.
    Unexpected { wanted: &'static str, found: String },
    /// The text stops in the middle of a definition, or defines nothing.
    UnexpectedEnd { wanted: &'static str },
    /// A name of more than 63 bytes.
    NameTooLong,
    /// A number of more than 63 characters.
    NumberTooLong,
    /// Structs inside structs beyond [`MAX_NESTING`].
    NestedTooDeep,
    /// A second struct of this name in the same scope.
    DuplicateStruct(String),
    /// A second top-level struct with this protocol tag.
    DuplicateProtocolTag(i32),
    /// A second field of this name in the same struct.
    DuplicateField(String),
    /// A field tag that is zero, or negative as a 32-bit number.
    FieldTagZero(String),
    /// A field tag over 65535.
    FieldTagTooBig(String),
    /// A field tag not greater than that of the field before.
    FieldTagNotAscending(String),
    /// The type of a field is neither built in nor a complete struct in scope.
    UnknownType(String),
    /// A map of something else than structs.
    MapOfNonStruct(String),
    /// The struct of a map has no field of the name of the key.
    MapKeyUnknown { of: String, key: String },
    /// The key of a map is a struct.
    MapKeyIsStruct { of: String, key: String },
    /// The key of a map is an array.
    MapKeyIsArray { of: String, key: String },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.fault)
    }
}

impl fmt::Display for ParseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected { wanted, found } => write!(f, "{wanted} expected near '{found}'"),
            Self::UnexpectedEnd { wanted } => write!(f, "{wanted} expected at the end"),
            Self::NameTooLong => f.write_str("name longer than 63 characters"),
            Self::NumberTooLong => f.write_str("number longer than 63 characters"),
            Self::NestedTooDeep => write!(f, "structs nested deeper than {MAX_NESTING}"),
            Self::DuplicateStruct(name) => write!(f, "struct '{name}' is defined twice"),
            Self::DuplicateProtocolTag(tag) => write!(f, "protocol tag {tag} is used twice"),
            Self::DuplicateField(name) => write!(f, "field '{name}' is defined twice"),
            Self::FieldTagZero(name) => write!(f, "the tag of field '{name}' must be above 0"),
            Self::FieldTagTooBig(name) => {
                write!(f, "the tag of field '{name}' must not be above 65535")
            }
            Self::FieldTagNotAscending(name) => {
                write!(f, "the tag of field '{name}' must be above that of the field before")
            }
            Self::UnknownType(name) => write!(f, "unknown type '{name}'"),
            Self::MapOfNonStruct(name) => {
                write!(f, "field '{name}' is a map of something else than structs")
            }
            Self::MapKeyUnknown { of, key } => {
                write!(f, "struct '{of}' has no field '{key}' to be a map key")
            }
            Self::MapKeyIsStruct { of, key } => {
                write!(f, "field '{key}' of '{of}' is a struct and cannot be a map key")
            }
            Self::MapKeyIsArray { of, key } => {
                write!(f, "field '{key}' of '{of}' is an array and cannot be a map key")
            }
        }
    }
}

impl std::error::Error for ParseError {}
