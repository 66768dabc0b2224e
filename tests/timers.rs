//! The timing wheel against a sorted map, over jumps of time of every size.

#![allow(clippy::indexing_slicing, clippy::unreachable, reason = "a failure is what a test may do")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use silly_cluster::timers::{TimerId, Timers};

/// A wheel done plainly: sorted by deadline, then by a running number.
#[derive(Default)]
struct Model {
    /// The last tick handed out or, when nothing was due, the last one asked about.
    present: u64,
    serial: u64,
    timers: BTreeMap<(u64, u64), u64>,
}

impl Model {
    fn insert(&mut self, deadline: u64) -> (u64, u64) {
        let key = (deadline.max(self.present), self.serial);
        self.timers.insert(key, self.serial);
        self.serial += 1;
        key
    }

    fn pop(&mut self, now: u64) -> Option<u64> {
        let now = now.max(self.present);
        match self.timers.first_entry() {
            Some(first) if first.key().0 <= now => {
                self.present = first.key().0;
                Some(first.remove())
            }
            _ => {
                self.present = now;
                None
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// Set a timer so far ahead of the clock.
    Insert(u64),
    /// Set a timer so far behind the clock.
    InsertPast(u64),
    /// Take out one of the timers ever set, fired or not.
    Remove(prop::sample::Index),
    /// Move the clock and take out at most so many.
    Advance(u64, usize),
    /// Do what a sleeper does: go where the wheel says, until something fires.
    Sleep,
}

/// Distances from nothing to centuries, alike in number for each power of two.
fn distance() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..200u64,
        4 => (0..64u32, any::<u64>()).prop_map(|(bits, value)| value >> bits),
        // Around the edges of slots.
        2 => (0..11u32, 0..64u64, 0..3u64)
            .prop_map(|(level, slot, off)| (slot << (level * 6)).saturating_add(off).saturating_sub(1)),
        1 => Just(u64::MAX),
    ]
}

fn op(far: bool) -> impl Strategy<Value = Op> {
    let cap = if far { u64::MAX } else { 20_000 };
    let near = move |distance: u64| if far { distance } else { distance % cap };
    prop_oneof![
        8 => distance().prop_map(move |d| Op::Insert(near(d))),
        1 => distance().prop_map(move |d| Op::InsertPast(near(d))),
        3 => any::<prop::sample::Index>().prop_map(Op::Remove),
        4 => (distance(), 0..20usize).prop_map(move |(d, n)| Op::Advance(near(d), n)),
        2 => Just(Op::Sleep),
    ]
}

fn check(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut wheel = Timers::new();
    let mut model = Model::default();
    let mut ids: Vec<(TimerId, (u64, u64))> = Vec::new();
    let mut clock = 0u64;
    for op in ops {
        match op {
            Op::Insert(_) | Op::InsertPast(_) => {
                let deadline = match op {
                    Op::Insert(ahead) => clock.saturating_add(ahead),
                    Op::InsertPast(behind) => clock.saturating_sub(behind),
                    _ => unreachable!(),
                };
                let id = wheel.insert(deadline, model.serial);
                prop_assert!(id.to_bits() < 1 << 53);
                ids.push((TimerId::from_bits(id.to_bits()), model.insert(deadline)));
            }
            Op::Remove(_) if ids.is_empty() => {}
            Op::Remove(which) => {
                let (id, key) = ids[which.index(ids.len())];
                prop_assert_eq!(wheel.remove(id), model.timers.remove(&key));
            }
            Op::Advance(by, most) => {
                clock = clock.saturating_add(by);
                for _ in 0..most {
                    let popped = wheel.pop(clock);
                    prop_assert_eq!(popped, model.pop(clock));
                    if popped.is_none() {
                        break;
                    }
                }
            }
            Op::Sleep => {
                let mut fired = None;
                let mut wakes = 0;
                while let (None, Some(due)) = (fired, wheel.next_due()) {
                    clock = clock.max(due);
                    fired = wheel.pop(clock);
                    prop_assert_eq!(fired, model.pop(clock));
                    wakes += 1;
                    prop_assert!(wakes <= 11, "more early wakes than levels");
                }
            }
        }
        prop_assert_eq!(wheel.len(), model.timers.len());
        prop_assert_eq!(wheel.is_empty(), model.timers.is_empty());
        let earliest = model.timers.keys().next().map(|key| key.0);
        prop_assert_eq!(wheel.next_due().is_some(), earliest.is_some());
        if let (Some(due), Some(earliest)) = (wheel.next_due(), earliest) {
            prop_assert!(due <= earliest, "{} is after {}", due, earliest);
            prop_assert!(due >= model.present);
            if due >> 6 == model.present >> 6 {
                prop_assert_eq!(due, earliest, "the lowest level must be exact");
            }
        }
    }
    while let Some(fired) = model.pop(u64::MAX) {
        prop_assert_eq!(wheel.pop(u64::MAX), Some(fired));
    }
    prop_assert_eq!(wheel.pop(u64::MAX), None);
    Ok(())
}

proptest! {
    #[test]
    fn agrees_with_a_sorted_map_nearby(ops in prop::collection::vec(op(false), 0..300)) {
        check(ops)?;
    }

    #[test]
    fn agrees_with_a_sorted_map_over_all_of_time(ops in prop::collection::vec(op(true), 0..100)) {
        check(ops)?;
    }
}
