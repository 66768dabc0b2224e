//! What a host that waits by itself is told: when the next turn has something to do.
//!
//! A host asks for a number of milliseconds, or for a descriptor that is readable at the right
//! moments. Both say the same, except that only the descriptor knows of sockets. It is kept right
//! while the loop rests, that is from [`Reactor::settle`] to the next turn: what is noted in
//! between rings, and deadlines that come or go move its timer.

use std::os::raw::c_int;
use std::time::{Duration, Instant};

use crate::sink;

use super::lamp::Lamp;
use super::{Driver, Reactor, Refusal};

/// Jobs under way may wait for times that only the runtime knows (the resolver's next try, a
/// dial's share of the time for one address) and that its poll set does not show. So there is a
/// turn at least this often while there are any: a lookup is at most that much slower, and fifty
/// short turns in a second are no load.
const PULSE: Duration = Duration::from_millis(20);

/// Where a reactor is between two turns, as its host sees it.
#[derive(Debug)]
pub(super) struct Beacon {
    /// Made when it is asked for.
    lamp: Option<Lamp>,
    /// True from the end of one turn, with all that Lua made of it, to the next turn.
    resting: bool,
    /// No turn is to come.
    over: bool,
    /// When the last turn looked at the sockets.
    looked: Instant,
}

impl Beacon {
    pub(super) fn new() -> Beacon {
        Beacon { lamp: None, resting: false, over: false, looked: Instant::now() }
    }

    /// A turn begins: nothing needs to be kept right until it has settled.
    pub(super) fn turn_begins(&mut self) {
        self.resting = false;
    }

    /// The sockets were looked at.
    pub(super) fn turn_ends(&mut self) {
        self.looked = Instant::now();
    }

    fn lamp_at_rest(&mut self) -> Option<&mut Lamp> {
        self.lamp.as_mut().filter(|_| self.resting && !self.over)
    }
}

impl Reactor {
    /// One number for the life of the reactor: readable whenever a turn would do something. The
    /// runtime is made if there is none.
    pub fn descriptor(&mut self) -> Result<c_int, Refusal> {
        let handle = self.engine()?.handle.clone();
        let lamp = match self.beacon.lamp.take() {
            Some(lamp) => lamp,
            None => Lamp::new(&handle).map_err(Refusal::NoDescriptor)?,
        };
        let lamp = self.beacon.lamp.insert(lamp);
        if self.beacon.over {
            lamp.extinguish();
        }
        Ok(lamp.fd())
    }

    /// The end of a turn, once its events are taken: writes what is queued, since the next turn may
    /// be a host's frame away, and gets the descriptor right. `ready`: Lua has more to run.
    pub fn settle(&mut self, driver: &mut impl Driver, ready: bool) {
        if self.is_forked() {
            return;
        }
        driver.flush(self);
        self.beacon.resting = true;
        let Some(bell) = self.beacon.lamp_at_rest().map(|lamp| lamp.bell()) else { return };
        self.inbox.rest(Some(bell));
        let busy = ready || self.has_work();
        if let Some(lamp) = self.beacon.lamp_at_rest() {
            if busy { lamp.ring() } else { lamp.hush() }
        }
        self.retime();
    }

    /// True between the end of one turn and the next, for a host that asks for turns.
    pub fn is_resting(&self) -> bool {
        self.beacon.resting
    }

    /// Something else than a deadline was set while the loop rests.
    pub fn ring(&mut self) {
        if let Some(lamp) = self.beacon.lamp_at_rest() {
            lamp.ring();
        }
    }

    /// A deadline was set or dropped, or the log has lines to try again.
    pub fn retime(&mut self) {
        if self.beacon.lamp_at_rest().is_some() {
            let due = self.due();
            if let Some(lamp) = self.beacon.lamp_at_rest() {
                lamp.set(due);
            }
        }
    }

    /// How long until a turn has something to do, sockets aside; `None` when nothing is scheduled.
    pub fn timeout(&self) -> Option<Duration> {
        if self.beacon.over {
            None
        } else if self.has_work() {
            Some(Duration::ZERO)
        } else {
            self.due().map(|due| due.saturating_duration_since(Instant::now()))
        }
    }

    /// No turn is to come: the descriptor stays what it is, and is never readable again.
    pub fn extinguish(&mut self) {
        self.beacon.over = true;
        if let Some(lamp) = &mut self.beacon.lamp {
            lamp.extinguish();
        }
    }

    fn has_work(&self) -> bool {
        !self.events.is_empty()
            || self.inbox.has_mail()
            || self.jobs.are_restless()
            || self.bell.signals.has_come()
    }

    fn due(&self) -> Option<Instant> {
        let deadline = self.deadlines.next_due().map(|tick| self.clock.instant(tick));
        let pulse = self.jobs.are_timed().then(|| self.beacon.looked + PULSE);
        let log = sink::is_behind().then(|| self.beacon.looked + sink::RETRY);
        deadline.into_iter().chain(pulse).chain(log).min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::inbox::{Arrived, Dialed, Key, LookedUp};
    use super::super::job::Job;
    use super::super::{Alarm, Driver, Reactor};
    use super::PULSE;
    use std::future::pending;
    use std::task::{Context, Waker};
    use std::time::Duration;

    /// Owns no sockets.
    struct Nobody;

    impl Driver for Nobody {
        fn ready(&mut self, _: &mut Reactor, _: Key) {}
        fn dialed(&mut self, _: &mut Reactor, _: Dialed) {}
        fn arrived(&mut self, _: &mut Reactor, _: Arrived) {}
        fn looked_up(&mut self, _: &mut Reactor, _: LookedUp) {}
        fn alarm(&mut self, _: &mut Reactor, _: Alarm) {}
        fn flush(&mut self, _: &mut Reactor) {}
        fn is_alive(&self) -> bool {
            false
        }
    }

    fn turn(reactor: &mut Reactor) {
        reactor.turn(&mut Nobody, Some(Duration::ZERO)).unwrap();
        reactor.settle(&mut Nobody, false);
    }

    #[test]
    fn there_is_a_pulse_while_a_job_may_wait_for_a_time_of_the_runtimes_and_only_then() {
        let mut reactor = Reactor::new();
        reactor.enter(|| ()).unwrap();
        turn(&mut reactor);
        assert_eq!(reactor.timeout(), None);
        let mut job = Box::pin(Job::new(pending::<()>(), true, &reactor.jobs));
        assert_eq!(reactor.timeout(), Some(Duration::ZERO), "it has yet to begin");
        assert!(job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        turn(&mut reactor);
        let left = reactor.timeout().unwrap();
        assert!(left <= PULSE, "{left:?}");
        drop(job);
        assert_eq!(reactor.timeout(), None);
    }

    #[test]
    fn the_end_is_the_end_of_every_schedule() {
        let mut reactor = Reactor::new();
        reactor.set_timer(0, true);
        assert!(reactor.timeout().is_some());
        reactor.extinguish();
        assert_eq!(reactor.timeout(), None);
    }
}
