//! Deadlines of all kinds, and the timers of scripts, which are one kind of them.

use crate::registry::Id;
use crate::timers::TimerId;

use super::event::Event;
use super::{Driver, Reactor};

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// A task that sleeps, or a timer with a callback.
    Timer(Id),
    /// A call, send or connect must be over.
    Request(Id),
    /// A closing connection has had its time.
    Link(Id),
    /// The rest of a frame must have come.
    Frame(Id),
    /// A listener that could not accept tries again.
    Door(Id),
    /// The same two of plain TCP.
    Stream(Id),
    StreamDoor(Id),
    /// A read must be over.
    Read(Id),
    /// A connect of plain TCP must be over.
    Attempt(Id),
    /// A name must have been found.
    Lookup(Id),
}

/// A task that sleeps or a callback that waits for its time.
#[derive(Debug)]
pub(super) struct Timer {
    entry: TimerId,
    callback: bool,
}

impl Reactor {
    /// Sets a deadline `milliseconds` from now.
    pub fn arm(&mut self, milliseconds: u64, alarm: Alarm) -> TimerId {
        let deadline = self.clock.after(milliseconds);
        let timer = self.deadlines.insert(deadline, alarm);
        self.retime();
        timer
    }

    /// Drops a deadline that has not come.
    pub fn disarm(&mut self, timer: TimerId) {
        self.deadlines.remove(timer);
        self.retime();
    }

    /// A timer of the script's: a sleeping task's, or one with a callback.
    pub fn set_timer(&mut self, milliseconds: u64, callback: bool) -> Id {
        let deadline = self.clock.after(milliseconds);
        let deadlines = &mut self.deadlines;
        let timer = self.timers.insert_with(|id| Timer {
            entry: deadlines.insert(deadline, Alarm::Timer(id)),
            callback,
        });
        self.retime();
        timer
    }

    /// Takes a timer with a callback back; one that has fired but was not delivered yet will not
    /// be. False when there is none.
    pub fn cancel_timer(&mut self, timer: Id) -> bool {
        if !self.timers.get(timer).is_some_and(|timer| timer.callback) {
            return false; // a task that sleeps must wake, whatever number a script makes up
        }
        self.drop_timer(timer);
        true
    }

    /// Takes back the timer in a slot, of a task that will not wake any more. Lua asks only for
    /// slots that it knows to be a sleeper's.
    pub fn cancel_sleep(&mut self, slot: u32) {
        if let Some(timer) = self.timers.at(slot) {
            self.drop_timer(timer);
        }
    }

    /// Drops all of the script's timers.
    pub fn forget_timers(&mut self) {
        for timer in self.timers.ids() {
            self.drop_timer(timer);
        }
    }

    fn drop_timer(&mut self, timer: Id) {
        if let Some(timer) = self.timers.remove(timer) {
            self.disarm(timer.entry);
        }
    }

    /// True while a task sleeps or a callback waits.
    pub fn has_timers(&self) -> bool {
        !self.timers.is_empty()
    }

    /// True while a deadline of any kind is set.
    pub fn has_deadlines(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// Turns the deadlines that have come into events.
    pub(super) fn fire(&mut self, driver: &mut impl Driver) {
        if self.deadlines.is_empty() {
            return; // and no clock is read
        }
        let now = self.clock.now();
        while let Some(alarm) = self.deadlines.pop(now) {
            match alarm {
                Alarm::Timer(timer) => match self.timers.get(timer) {
                    Some(Timer { callback: true, .. }) => self.push(Event::Alarm { timer }),
                    Some(_) => self.push(Event::Awake { timer }),
                    None => {}
                },
                other => driver.alarm(self, other),
            }
        }
    }
}
