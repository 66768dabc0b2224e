//! What must hold whatever bytes come, as functions of those bytes.
//!
//! Fuzzers call them (`fuzz_targets/`), and so do the tests of the library, which include this file:
//! with the corpus that the fuzzers have left, and with what proptest makes.

pub mod counting;
pub mod frames;
pub mod message;
pub mod packing;
pub mod schema;
