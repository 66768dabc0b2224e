//! The zproto serialisation format: schemas, messages and the packing of their bytes.
//!
//! Nothing in here knows of Lua or of sockets. A schema text becomes a [`Schema`] ([`lexer`],
//! [`parser`]); [`encode()`] turns any value that can answer the questions of a [`Source`] into
//! bytes and [`decode()`] rebuilds one through a [`Sink`]; [`pack()`] and [`unpack()`] squeeze the
//! zero bytes out and put them back. [`Value`] is the plain Rust value that answers to both traits.
//!
//! All of the decoding side takes bytes from strangers: it never panics, and what it allocates is
//! bounded by the length of its input.

mod decode;
mod encode;
mod error;
mod lexer;
mod pack;
mod parser;
mod schema;
mod value;

pub use decode::{Malformed, Sink, decode};
pub use encode::{EncodeError, EncodeFault, Source, Wrong, encode, exact_integer};
pub use error::{ParseError, ParseFault};
pub use pack::{OutOfMemory, UnpackError, pack, pack_bound, unpack};
pub use parser::parse;
pub use schema::{Field, Kind, MAX_NESTING, NameId, Schema, Shape, Struct, StructId};
pub use value::{Builder, Reader, Value};

/// Struct levels a message may have, the outermost included, on both ways.
///
/// It bounds the stack used by the two recursive walks; more cannot be encoded, and is malformed
/// when decoded.
pub const MAX_DEPTH: usize = 64;
