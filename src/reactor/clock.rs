//! Time in whole milliseconds since the reactor began, never running back.

use std::time::{Duration, Instant};

/// A tick is one millisecond.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// Begins at tick 0.
    pub fn new() -> Clock {
        Clock { epoch: Instant::now() }
    }

    /// The tick that has begun.
    pub fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The first tick that is at least `milliseconds` away, so that nothing ever fires early.
    pub fn after(&self, milliseconds: u64) -> u64 {
        let delay = Duration::from_millis(milliseconds);
        let end = self.epoch.elapsed().saturating_add(delay);
        let whole = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        match end.subsec_nanos() % 1_000_000 {
            0 => whole,
            _ => whole.saturating_add(1),
        }
    }

    /// When a tick begins; a year from now stands for anything later.
    pub fn instant(&self, tick: u64) -> Instant {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        self.epoch.checked_add(Duration::from_millis(tick)).unwrap_or_else(|| Instant::now() + YEAR)
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early_and_at_most_a_tick_late() {
        let clock = Clock::new();
        for delay in [0, 1, 7, 1000] {
            let asked = Instant::now();
            let due = clock.instant(clock.after(delay));
            assert!(due >= asked + Duration::from_millis(delay));
            assert!(due <= Instant::now() + Duration::from_millis(delay + 1));
        }
    }

    #[test]
    fn the_far_future_is_representable() {
        let clock = Clock::new();
        assert!(clock.instant(clock.after(u64::MAX)) > Instant::now());
    }
}
