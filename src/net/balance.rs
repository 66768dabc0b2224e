//! Which of several equals comes first. Many nodes that find the same list must not all take the first.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use super::record::Service;

/// Numbers by chance, good enough to spread by: the standard library's hashes have keys by chance.
pub(crate) fn dice() -> impl FnMut(usize) -> usize {
    let keys = RandomState::new();
    let mut throws = 0u64;
    move |below| {
        throws += 1;
        let mut hasher = keys.build_hasher();
        hasher.write_u64(throws);
        (hasher.finish() % below.max(1) as u64) as usize
    }
}

/// Puts equals in any order.
pub(super) fn shuffle<T>(equals: &mut [T]) {
    let mut dice = dice();
    for last in (1..equals.len()).rev() {
        equals.swap(last, dice(last + 1));
    }
}

/// Puts services in the order in which they are to be tried: lower priorities first; among those of one
/// priority each comes first as often as its weight says, and those without weight last.
pub(super) fn by_weight(mut services: Vec<Service>) -> Vec<Service> {
    // Those without weight are chosen by chance, too, once the others are.
    shuffle(&mut services);
    services.sort_by_key(|service| service.priority);
    let mut dice = dice();
    let mut ordered = Vec::with_capacity(services.len());
    while let Some(priority) = services.first().map(|first| first.priority) {
        let equals = services.iter().take_while(|service| service.priority == priority);
        let total: usize = equals.map(|service| usize::from(service.weight)).sum();
        let mut left = dice(total);
        let chosen = services.iter().position(|service| {
            let weight = usize::from(service.weight);
            let is_it = left < weight;
            left = left.saturating_sub(weight);
            is_it
        });
        ordered.push(services.remove(if total == 0 { 0 } else { chosen.unwrap_or(0) }));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(priority: u16, weight: u16, port: u16) -> Service {
        Service { priority, weight, port, target: "node.test".into() }
    }

    #[test]
    fn each_of_several_equals_comes_first_at_times() {
        let mut first = [0; 3];
        for _ in 0..600 {
            let mut equals = [0, 1, 2];
            shuffle(&mut equals);
            first[equals[0]] += 1;
            equals.sort_unstable();
            assert_eq!(equals, [0, 1, 2]);
        }
        assert!(first.iter().all(|&count| count > 100), "{first:?}");
    }

    #[test]
    fn priorities_are_kept_and_weights_are_shares() {
        let mut first = [0; 4];
        for _ in 0..1000 {
            let services =
                vec![service(2, 9, 3), service(1, 30, 0), service(1, 10, 1), service(1, 0, 2)];
            let ports: Vec<u16> = by_weight(services).iter().map(|service| service.port).collect();
            assert_eq!(ports[2..], [2, 3], "no weight comes last, and then the next priority");
            first[usize::from(ports[0])] += 1;
        }
        assert!((650..850).contains(&first[0]), "{first:?}");
    }

    #[test]
    fn services_without_any_weight_are_equals() {
        let mut first = [0; 2];
        for _ in 0..400 {
            let ordered = by_weight(vec![service(1, 0, 0), service(1, 0, 1)]);
            first[usize::from(ordered[0].port)] += 1;
        }
        assert!(first.iter().all(|&count| count > 100), "{first:?}");
        assert!(by_weight(Vec::new()).is_empty());
    }
}
