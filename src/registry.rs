//! A table with recycled slots whose ids go stale.
//!
//! Slots are reused, so that whoever keeps an array by slot beside it (the Lua side does) never
//! sees ever-growing keys. An id also carries a serial number, so one that has outlived its entry
//! finds nothing instead of somebody else's.

use slab::Slab;

/// Ids stay below 2^53, exact in any Lua number: 27 bits of slot above 26 bits of serial number.
const SERIAL_BITS: u32 = 26;
const SLOT_LIMIT: usize = 1 << 27;

/// Names one entry of one registry, for the life of that entry and never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(u64);

impl Id {
    /// The number that Lua sees.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// Any number: one that no entry has finds nothing.
    pub fn from_bits(bits: u64) -> Id {
        Id(bits)
    }

    /// The entry's place, small and recycled.
    pub fn slot(self) -> u32 {
        (self.0 >> SERIAL_BITS) as u32
    }
}

/// The table.
#[derive(Debug)]
pub struct Registry<T> {
    slots: Slab<(Id, T)>,
    serial: u64,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Registry { slots: Slab::new(), serial: 0 }
    }
}

impl<T> Registry<T> {
    /// Makes an entry that knows its own id.
    pub fn insert_with(&mut self, make: impl FnOnce(Id) -> T) -> Id {
        // Zero is never a serial number, so the id 0 is free to mean "none".
        self.serial = self.serial % ((1 << SERIAL_BITS) - 1) + 1;
        let vacant = self.slots.vacant_entry();
        // Holds because so many entries would fill a hundred gigabytes first.
        assert!(vacant.key() < SLOT_LIMIT, "registry is full");
        let id = Id((vacant.key() as u64) << SERIAL_BITS | self.serial);
        vacant.insert((id, make(id)));
        id
    }

    /// Makes an entry.
    pub fn insert(&mut self, value: T) -> Id {
        self.insert_with(|_| value)
    }

    /// The entry with this id, unless it is gone.
    pub fn get(&self, id: Id) -> Option<&T> {
        match self.slots.get(id.slot() as usize) {
            Some((known, value)) if *known == id => Some(value),
            _ => None,
        }
    }

    /// As [`get`](Self::get), to change it.
    pub fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        match self.slots.get_mut(id.slot() as usize) {
            Some((known, value)) if *known == id => Some(value),
            _ => None,
        }
    }

    /// Takes the entry out.
    pub fn remove(&mut self, id: Id) -> Option<T> {
        self.get(id)?;
        Some(self.slots.remove(id.slot() as usize).1)
    }

    /// The id of whatever stands in a slot now.
    pub fn at(&self, slot: u32) -> Option<Id> {
        self.slots.get(slot as usize).map(|(id, _)| *id)
    }

    /// All ids, by slot.
    pub fn ids(&self) -> Vec<Id> {
        self.slots.iter().map(|(_, (id, _))| *id).collect()
    }

    /// All entries, by slot.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|(_, (_, value))| value)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_id_finds_nothing_though_its_slot_is_reused() {
        let mut registry = Registry::default();
        let first = registry.insert("first");
        assert_eq!(registry.remove(first), Some("first"));
        let second = registry.insert("second");
        assert_eq!(first.slot(), second.slot());
        assert_eq!(registry.get(first), None);
        assert_eq!(registry.remove(first), None);
        assert_eq!(registry.get(second), Some(&"second"));
    }

    #[test]
    fn zero_names_nothing_and_ids_fit_a_double() {
        let mut registry = Registry::default();
        for number in 0..1000 {
            let id = registry.insert(number);
            assert!(id.to_bits() != 0 && id.to_bits() < 1 << 53);
        }
        assert_eq!(registry.get(Id::from_bits(0)), None);
        assert_eq!(registry.get(Id::from_bits(u64::MAX)), None);
    }

    #[test]
    fn serial_numbers_wrap_without_reaching_zero() {
        let mut registry = Registry { slots: Slab::new(), serial: (1 << SERIAL_BITS) - 2 };
        let last = registry.insert(());
        let wrapped = registry.insert(());
        assert_eq!(last.to_bits(), (1 << SERIAL_BITS) - 1);
        assert_eq!(wrapped.to_bits() & ((1 << SERIAL_BITS) - 1), 1);
    }
}
