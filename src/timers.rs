//! Deadlines in the order they come due: a hierarchical timing wheel.
//!
//! Every call has a deadline and nearly all of them are removed unfired, so setting and removing
//! must not cost more with a hundred thousand pending than with ten. A heap cannot promise that;
//! a wheel can. It is separate from whatever sleeps because it reads no clock: time is a number
//! of ticks handed in, and a test can be at the end of time with one call.
//!
//! The wheel has one level for each six bits of a tick. A deadline sits on the level of the
//! highest bit group in which it differs from the present, in the slot which that group names.
//! Three things follow, and the code below leans on each of them:
//!
//! - all deadlines of a level are later than those of the levels below it, so the first occupied
//!   slot of the first occupied level holds the earliest;
//! - while the present stays before the start of a slot, the slot is the right place for what is in
//!   it, so the place of an entry can be computed at any time and need not be stored;
//! - equal deadlines are always in the same slot, so appending keeps them in order of insertion.
//!
//! When the present reaches a slot above the lowest level, its entries are spread over the levels
//! below. Eleven levels cover every tick of 64 bits, hence no deadline is out of range.

use std::mem;

mod id;

pub use id::TimerId;
use id::{INDEX_BITS, LAST_GENERATION};

/// How many bits of a tick one level resolves.
const BITS: u32 = 6;
/// Slots of a level: one for each bit of its `u64` of occupancy.
const SLOTS: usize = 1 << BITS;
/// Levels enough for 64 bits.
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;

/// No entry.
const NIL: u32 = u32::MAX;

/// Timers with values of type `T`, on a scale of ticks that starts at 0.
#[derive(Debug)]
pub struct Timers<T> {
    /// The tick the wheel stands at. It moves up to what `pop` is told, but never past a timer
    /// that has not been handed out.
    present: u64,
    entries: Vec<Entry<T>>,
    /// The first of the entries free for use, linked by `next`.
    free: u32,
    len: usize,
    /// Bit n is set if and only if level n has an occupied slot.
    occupied: u32,
    /// Boxed, as the lists would make moving the wheel costly.
    levels: Box<[Level; LEVELS]>,
}

#[derive(Debug)]
struct Entry<T> {
    /// When it is due, never before the present.
    deadline: u64,
    prev: u32,
    next: u32,
    /// How many timers have been here before.
    generation: u32,
    /// `None` while the entry is free.
    value: Option<T>,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    /// Bit n is set if and only if slot n is not empty.
    occupied: u64,
    slots: [List; SLOTS],
}

/// The entries of a slot in order of insertion.
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

const EMPTY: List = List { head: NIL, tail: NIL };

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

// Levels and slots come from `place` or from set bits of the occupancy masks, which are in range by
// construction, and indices of entries come from the lists, which hold nothing but `NIL` and
// entries in use.
#[expect(clippy::indexing_slicing, reason = "no index comes from outside, see above")]
impl<T> Timers<T> {
    /// A wheel that stands at tick 0, without timers.
    pub fn new() -> Self {
        Self {
            present: 0,
            entries: Vec::new(),
            free: NIL,
            len: 0,
            occupied: 0,
            levels: Box::new([Level { occupied: 0, slots: [EMPTY; SLOTS] }; LEVELS]),
        }
    }

    /// How many timers are pending.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if and only if no timer is pending.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets a timer. A deadline the wheel has passed counts as the wheel's present: it is due at
    /// once, after what is already due at that tick.
    pub fn insert(&mut self, deadline: u64, value: T) -> TimerId {
        let deadline = deadline.max(self.present);
        let index = self.free;
        let (index, generation) = if let Some(entry) = self.entries.get_mut(index as usize) {
            self.free = entry.next;
            entry.deadline = deadline;
            entry.value = Some(value);
            (index, entry.generation)
        } else {
            let index = self.entries.len();
            // OK because so many entries take at least six gigabytes, each of them a timer pending.
            assert!(index < 1 << INDEX_BITS, "more than 2^28 timers");
            let value = Some(value);
            self.entries.push(Entry { deadline, prev: NIL, next: NIL, generation: 0, value });
            (index as u32, 0)
        };
        self.len += 1;
        self.link(index);
        TimerId::new(index, generation)
    }

    /// Takes a timer out. `None`, and nothing else, if it has fired or was taken out before.
    pub fn remove(&mut self, id: TimerId) -> Option<T> {
        let entry = self.entries.get(id.index())?;
        if u64::from(entry.generation) != id.generation() || entry.value.is_none() {
            return None;
        }
        self.take(id.index() as u32)
    }

    /// The tick at which to call [`pop`](Self::pop) next, `None` without timers.
    ///
    /// It is never later than the earliest deadline. It may be earlier when that deadline shares a
    /// slot above the lowest level with others: `pop` then finds nothing due, but sorts the slot.
    pub fn next_due(&self) -> Option<u64> {
        let (level, slot, start) = self.first()?;
        let list = self.levels[level].slots[slot];
        if list.head == list.tail {
            Some(self.entries[list.head as usize].deadline)
        } else {
            Some(start)
        }
    }

    /// Takes out the next timer due at `now`: by deadline, then in the order they were set.
    ///
    /// To be called until it returns `None`. A `now` before an earlier one counts as the present.
    pub fn pop(&mut self, now: u64) -> Option<T> {
        let now = now.max(self.present);
        while let Some((level, slot, start)) = self.first() {
            if start > now {
                break;
            }
            self.present = start;
            let head = self.levels[level].slots[slot].head;
            if level == 0 {
                return self.take(head);
            }
            self.clear(level, slot);
            let mut at = head;
            while at != NIL {
                let next = self.entries[at as usize].next;
                self.link(at);
                at = next;
            }
        }
        self.present = now;
        None
    }

    /// The level, the slot and the first tick of the earliest slot that is not empty.
    fn first(&self) -> Option<(usize, usize, u64)> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros();
        let slot = self.levels[level as usize].occupied.trailing_zeros();
        // The present agrees with every deadline of the level in the bits above those of the
        // level. The top level has none above; its shift drops them in two steps for that.
        let shift = level * BITS;
        let above = self.present >> shift >> BITS << BITS;
        Some((level as usize, slot as usize, (above | u64::from(slot)) << shift))
    }

    /// Where a deadline belongs as of the present.
    fn place(&self, deadline: u64) -> (usize, usize) {
        let differing = (deadline ^ self.present) | 1;
        let level = differing.ilog2() / BITS;
        let slot = deadline >> (level * BITS) & (SLOTS as u64 - 1);
        (level as usize, slot as usize)
    }

    /// Appends an entry to the slot its deadline belongs in.
    fn link(&mut self, index: u32) {
        let (level, slot) = self.place(self.entries[index as usize].deadline);
        self.occupied |= 1 << level;
        let level = &mut self.levels[level];
        level.occupied |= 1 << slot;
        let list = &mut level.slots[slot];
        let tail = mem::replace(&mut list.tail, index);
        if tail == NIL {
            list.head = index;
        } else {
            self.entries[tail as usize].next = index;
        }
        let entry = &mut self.entries[index as usize];
        entry.prev = tail;
        entry.next = NIL;
    }

    /// Takes an entry in use out of its slot, frees it and returns its value.
    fn take(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        let (deadline, prev, next) = (entry.deadline, entry.prev, entry.next);
        let value = entry.value.take();
        if entry.generation < LAST_GENERATION {
            entry.generation += 1;
            entry.next = self.free;
            self.free = index;
        }
        self.len -= 1;

        let (level, slot) = self.place(deadline);
        if prev == NIL && next == NIL {
            self.clear(level, slot);
            return value;
        }
        if prev == NIL {
            self.levels[level].slots[slot].head = next;
        } else {
            self.entries[prev as usize].next = next;
        }
        if next == NIL {
            self.levels[level].slots[slot].tail = prev;
        } else {
            self.entries[next as usize].prev = prev;
        }
        value
    }

    /// Empties a slot, whose entries are taken care of elsewhere.
    fn clear(&mut self, level: usize, slot: usize) {
        let wheel = &mut self.levels[level];
        wheel.slots[slot] = EMPTY;
        wheel.occupied &= !(1 << slot);
        if wheel.occupied == 0 {
            self.occupied &= !(1 << level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pop_all<T>(timers: &mut Timers<T>, now: u64) -> Vec<T> {
        std::iter::from_fn(|| timers.pop(now)).collect()
    }

    #[test]
    fn an_empty_wheel_has_nothing_due() {
        let mut timers = Timers::<()>::new();
        assert_eq!((timers.next_due(), timers.len(), timers.is_empty()), (None, 0, true));
        assert_eq!(timers.pop(u64::MAX), None);
        timers.insert(3, ());
        assert_eq!(timers.next_due(), Some(u64::MAX));
        assert_eq!(timers.pop(0), Some(()));
    }

    #[test]
    fn deadlines_of_all_levels_come_in_order() {
        let deadlines: Vec<u64> = (0..64).flat_map(|bit| [1 << bit, (1 << bit) + 1]).collect();
        let mut timers = Timers::new();
        for &deadline in deadlines.iter().rev() {
            timers.insert(deadline, deadline);
        }
        for &deadline in &deadlines[2..] {
            let before = pop_all(&mut timers, deadline - 1);
            assert!(before.iter().all(|&value| value < deadline), "{before:?} at {deadline}");
            assert_eq!(timers.next_due(), Some(deadline));
            assert_eq!(timers.pop(deadline), Some(deadline));
        }
        assert!(timers.is_empty());
    }

    #[test]
    fn one_deadline_fires_in_order_of_insertion_from_whatever_level() {
        let mut timers = Timers::new();
        timers.insert(10_000, 'a');
        assert_eq!(timers.pop(9_000), None);
        timers.insert(10_000, 'b');
        assert_eq!(timers.pop(9_990), None);
        timers.insert(10_000, 'c');
        timers.insert(9_999, 'z');
        assert_eq!(pop_all(&mut timers, 10_000), ['z', 'a', 'b', 'c']);
    }

    #[test]
    fn the_end_of_time_is_a_deadline_like_any_other() {
        let mut timers = Timers::new();
        timers.insert(u64::MAX, 'b');
        timers.insert(u64::MAX - 1, 'a');
        assert_eq!(timers.pop(u64::MAX - 2), None);
        assert_eq!(timers.next_due(), Some(u64::MAX - 1));
        assert_eq!(pop_all(&mut timers, u64::MAX), ['a', 'b']);
        timers.insert(u64::MAX, 'c');
        assert_eq!(timers.pop(u64::MAX), Some('c'));
    }

    #[test]
    fn a_timer_set_between_two_pops_takes_its_place() {
        let mut timers = Timers::new();
        timers.insert(10, 'a');
        timers.insert(20, 'c');
        assert_eq!(timers.pop(100), Some('a'));
        timers.insert(15, 'b');
        assert_eq!(pop_all(&mut timers, 100), ['b', 'c']);
        // Tick 50 is past, so these two are due now, in the order they were set.
        timers.insert(100, 'd');
        timers.insert(50, 'e');
        assert_eq!(pop_all(&mut timers, 0), ['d', 'e']);
    }

    #[test]
    fn a_lone_timer_is_named_exactly() {
        let mut timers = Timers::new();
        let id = timers.insert(5_000, ());
        assert_eq!(timers.next_due(), Some(5_000));
        timers.insert(5_001, ());
        let early = timers.next_due();
        assert!(early <= Some(5_000));
        timers.remove(id);
        assert_eq!(timers.next_due(), Some(5_001));
    }

    #[test]
    fn an_id_dies_with_its_timer() {
        let mut timers = Timers::new();
        let first = timers.insert(5, 'a');
        assert_eq!(timers.remove(first), Some('a'));
        let second = timers.insert(5, 'b');
        assert_ne!(first, second);
        assert_eq!(timers.remove(first), None);
        assert_eq!(timers.pop(5), Some('b'));
        assert_eq!(timers.remove(second), None);
        assert_eq!(timers.remove(TimerId::from_bits(u64::MAX)), None);
        assert_eq!(timers.remove(TimerId::from_bits(second.to_bits() + (1 << INDEX_BITS))), None);
        let third = timers.insert(6, 'c');
        assert_eq!(timers.remove(TimerId::from_bits(third.to_bits())), Some('c'));
    }

    #[test]
    fn a_worn_out_entry_is_not_used_again() {
        let mut timers = Timers::new();
        timers.insert(1, 'a');
        timers.entries[0].generation = LAST_GENERATION;
        let last = TimerId::new(0, LAST_GENERATION);
        assert!(last.to_bits() < 1 << 53);
        assert_eq!(timers.remove(last), Some('a'));
        assert_eq!(timers.remove(last), None);
        assert_eq!(timers.insert(1, 'b'), TimerId::new(1, 0));
        assert_eq!(timers.remove(last), None);
        assert_eq!(timers.pop(1), Some('b'));
    }
}
