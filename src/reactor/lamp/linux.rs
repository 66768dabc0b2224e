//! A poll set of ours around three descriptors: the runtime's own poll set, which shows sockets
//! and wakes of its tasks; a timer for deadlines; a counter that is rung for all else.
//!
//! A host may put it into a poll set of its own. The counter is no timer that is due at once,
//! because the kernel may take a moment to notice one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::super::fork;
use super::search;

/// The descriptor, readable while a turn would do something.
#[derive(Debug)]
pub(in crate::reactor) struct Lamp {
    outer: OwnedFd,
    runtime: OwnedFd,
    timer: OwnedFd,
    bell: Arc<Bell>,
    /// What the timer is set to.
    due: Option<Instant>,
}

impl Lamp {
    /// Lights for the runtime of `handle`.
    pub(in crate::reactor) fn new(handle: &Handle) -> io::Result<Lamp> {
        // SAFETY: three calls that take no memory of ours; each makes a descriptor or fails.
        let (counter, timer, outer) = unsafe {
            (
                owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?,
                owned(libc::timerfd_create(
                    libc::CLOCK_MONOTONIC,
                    libc::TFD_CLOEXEC | libc::TFD_NONBLOCK,
                ))?,
                owned(libc::epoll_create1(libc::EPOLL_CLOEXEC))?,
            )
        };
        let runtime = search::poll_set(handle)?;
        for inner in [&runtime, &timer, &counter] {
            let fd = inner.as_raw_fd();
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: fd as u64 };
            // SAFETY: both descriptors are ours and open, and the event is read during the call.
            check(unsafe {
                libc::epoll_ctl(outer.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event)
            })?;
        }
        let bell = Bell {
            counter: File::from(counter),
            rung: Mutex::new(false),
            generation: fork::generation(),
        };
        Ok(Lamp { outer, runtime, timer, bell: Arc::new(bell), due: None })
    }

    /// The number that a host polls.
    pub(in crate::reactor) fn fd(&self) -> RawFd {
        self.outer.as_raw_fd()
    }

    /// Rings when it is woken.
    pub(in crate::reactor) fn bell(&self) -> Waker {
        Waker::from(Arc::clone(&self.bell))
    }

    /// Makes the descriptor readable at once.
    pub(in crate::reactor) fn ring(&self) {
        self.bell.ring();
    }

    /// Takes [`ring`](Self::ring) back.
    pub(in crate::reactor) fn hush(&self) {
        self.bell.hush();
    }

    /// Makes the descriptor readable from `due` on, and never with `None`.
    pub(in crate::reactor) fn set(&mut self, due: Option<Instant>) {
        if due == self.due || self.bell.is_foreign() {
            return;
        }
        self.due = due;
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        // All zeros would disarm it.
        let first = left.map_or((0, 0), |left| (left.as_secs(), left.subsec_nanos().max(1)));
        let value = libc::timespec { tv_sec: first.0 as _, tv_nsec: first.1 as _ };
        let interval = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let setting = libc::itimerspec { it_interval: interval, it_value: value };
        // SAFETY: the descriptor is ours and open, and the setting is read during the call, which
        // cannot fail with one that is well formed.
        unsafe {
            let old = std::ptr::null_mut();
            libc::timerfd_settime(self.timer.as_raw_fd(), 0, &raw const setting, old);
        }
    }

    /// Never readable again.
    pub(in crate::reactor) fn extinguish(&mut self) {
        if self.bell.is_foreign() {
            return;
        }
        self.set(None);
        self.hush();
        let none = std::ptr::null_mut();
        // SAFETY: both descriptors are ours and open. A second time it only fails.
        unsafe {
            let (outer, runtime) = (self.outer.as_raw_fd(), self.runtime.as_raw_fd());
            libc::epoll_ctl(outer, libc::EPOLL_CTL_DEL, runtime, none);
        }
    }
}

/// What is rung. In a forked child it is the parent's, and left alone.
#[derive(Debug)]
struct Bell {
    counter: File,
    rung: Mutex<bool>,
    generation: u32,
}

impl Bell {
    fn is_foreign(&self) -> bool {
        self.generation != fork::generation()
    }

    fn ring(&self) {
        let mut rung = self.rung.lock();
        if !*rung && !self.is_foreign() {
            // Nothing but a full counter could fail, and it counts to one.
            *rung = (&self.counter).write_all(&1u64.to_ne_bytes()).is_ok();
        }
    }

    fn hush(&self) {
        let mut rung = self.rung.lock();
        if *rung && !self.is_foreign() {
            *rung = (&self.counter).read_exact(&mut [0; size_of::<u64>()]).is_err();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// # Safety
/// `outcome` is what a call that makes descriptors has just returned.
unsafe fn owned(outcome: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: no failure, so it is a descriptor, and nobody else's.
    check(outcome).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(outcome: libc::c_int) -> io::Result<libc::c_int> {
    if outcome < 0 { Err(io::Error::last_os_error()) } else { Ok(outcome) }
}
