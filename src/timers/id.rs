//! The ids of timers: an index into the wheel's entries, and how often that entry was used before.
//!
//! Apart from the wheel because of one promise that must hold whatever the wheel does: an id fits
//! into a double, and is never given out twice.

/// How many bits of an id are the index; the rest, up to 53, are the generation.
pub(super) const INDEX_BITS: u32 = 28;
/// The last generation of an entry. An entry that has reached it is not used again, as an old id
/// would fit once more; that gives up one entry in thirty million timers.
pub(super) const LAST_GENERATION: u32 = (1 << (53 - INDEX_BITS)) - 1;

/// Names a timer. No two timers of one wheel ever have the same, so an id may outlive its timer.
///
/// As a number it stays below 2^53, which a double represents exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(u64);

impl TimerId {
    /// The id as a number below 2^53.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// The id which [`to_bits`](Self::to_bits) made a number of. Any other number is harmless: it
    /// is the id of no timer, or of whichever timer happens to have it.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(generation) << INDEX_BITS | u64::from(index))
    }

    pub(super) fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }

    pub(super) fn generation(self) -> u64 {
        self.0 >> INDEX_BITS
    }
}
