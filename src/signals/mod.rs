//! The signals that a Lua state watches, and Ctrl-C while its own loop runs. No other part of the
//! library changes what a signal does to the process.
//!
//! A signal's action is the process's, and states in several threads may ask for the same one: the
//! first changes it, the last puts back what was there. SIGINT and SIGTERM are the host's business
//! as long as it drives the loop, so they are watched only while the loop is our own.
//!
//! Interpreters install a handler for SIGINT that raises an error at the next instruction, which
//! never comes while the loop waits in the kernel. So while our loop runs and no script has asked
//! for SIGINT, it has the system's default action, which ends the process at once.

mod fuse;
mod handler;
mod names;
mod process;
#[cfg(test)]
mod tests;

use std::ffi::c_int;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use handler::{LAST, SIGNALS, Slot, bit};
use process::{Process, process};

pub use names::NAMES;

/// Whose action is the host's except while a loop of our own runs.
const LOOP_ONLY: u32 = 1 << libc::SIGINT | 1 << libc::SIGTERM;

/// What a watcher has once it watches.
#[derive(Debug)]
struct Place {
    /// Where the slot is in the table.
    number: usize,
    slot: &'static Slot,
    /// Readable once a signal has come.
    reader: UnixStream,
    /// What the handler writes to; closed with the place.
    _writer: UnixStream,
}

/// The signals of one Lua state. At rest it has nothing in the process.
#[derive(Debug, Default)]
pub struct Watcher {
    process: u32,
    asked: u32,
    running: bool,
    place: Option<Place>,
}

impl Watcher {
    /// Our own loop begins to run, or has ended.
    pub fn set_running(&mut self, running: bool) {
        self.renew();
        if running != self.running {
            self.running = running;
            let mut process = process();
            match running {
                true => process.loops += 1,
                false => process.loops -= 1,
            }
            // What cannot be set for SIGINT or SIGTERM could not be watched either.
            let _ = self.publish(&mut process);
        }
    }

    /// Asks for a signal. With `last` it ends the process: the script has two seconds from then on,
    /// and a second one ends it at once.
    pub fn watch(&mut self, signal: c_int, last: bool) -> io::Result<()> {
        self.renew();
        if !(1..SIGNALS as c_int).contains(&signal) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let mut process = process();
        self.settle_in(&mut process)?;
        if last {
            fuse::lay(signal)?;
            LAST.fetch_or(bit(signal), SeqCst);
        } else if LAST.fetch_and(!bit(signal), SeqCst) & bit(signal) != 0 {
            handler::settle_down();
            fuse::remove();
        }
        let asked = self.asked;
        self.asked |= bit(signal);
        self.publish(&mut process).inspect_err(|_| {
            self.asked = asked;
            let _ = self.publish(&mut process);
        })
    }

    /// Asks for a signal no more.
    pub fn unwatch(&mut self, signal: c_int) {
        self.renew();
        if self.asked & bit(signal) != 0 {
            self.asked &= !bit(signal);
            let mut process = process();
            let _ = self.publish(&mut process);
            if let Some(place) = &self.place {
                place.slot.pending.fetch_and(!bit(signal), SeqCst);
            }
            if LAST.fetch_and(!bit(signal), SeqCst) & bit(signal) != 0 {
                handler::settle_down();
                fuse::remove();
            }
        }
    }

    /// The next signal that has come since it was last asked for, the smallest first. However often
    /// one came meanwhile, it counts once.
    pub fn take(&mut self) -> Option<c_int> {
        if !self.has_come() {
            return None;
        }
        let slot = self.place.as_ref()?.slot;
        let signal = slot.pending.load(SeqCst).trailing_zeros();
        slot.pending.fetch_and(!(1 << signal), SeqCst);
        Some(signal as c_int)
    }

    /// True when there is a signal to take.
    pub fn has_come(&self) -> bool {
        // Every turn asks, and whose process this is costs a system call: that comes last.
        let place = self.place.as_ref();
        place.is_some_and(|place| place.slot.pending.load(SeqCst) != 0)
            && self.process == std::process::id()
    }

    /// A socket that becomes readable when a signal has come; none before the first is watched. It
    /// must be emptied before [`Watcher::take`], or a signal that comes in between would be heard
    /// of too late.
    pub fn socket(&self) -> io::Result<Option<UnixStream>> {
        self.place.as_ref().map(|place| place.reader.try_clone()).transpose()
    }

    /// Sleeps for so long, or until a signal comes.
    pub fn sleep(&mut self, limit: Duration) {
        self.renew();
        let Some(place) = &mut self.place else {
            return std::thread::sleep(limit);
        };
        // Rounded up, so that nothing is early; whoever waits longer waits again.
        let milliseconds = limit.as_nanos().div_ceil(1_000_000);
        let mut asked =
            libc::pollfd { fd: place.reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, valid for the call.
        unsafe { libc::poll(&mut asked, 1, c_int::try_from(milliseconds).unwrap_or(c_int::MAX)) };
        let mut buffer = [0; 64];
        while place.reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }

    /// A forked child begins anew: the descriptors are its parent's, too.
    fn renew(&mut self) {
        if self.process != std::process::id() {
            self.process = std::process::id();
            self.asked = 0;
            self.running = false;
            self.place = None;
        }
    }

    /// Takes a slot of the table.
    fn settle_in(&mut self, process: &mut Process) -> io::Result<()> {
        if self.place.is_some() {
            return Ok(());
        }
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let Some((number, slot)) = process.take_slot() else {
            return Err(io::Error::other("too many Lua states watch signals"));
        };
        slot.pending.store(0, SeqCst);
        slot.wake.store(writer.as_raw_fd(), SeqCst);
        self.place = Some(Place { number, slot, reader, _writer: writer });
        Ok(())
    }

    /// Tells the handler what is wanted by now, and gives the signals their actions.
    fn publish(&self, process: &mut Process) -> io::Result<()> {
        let wanted = if self.running { self.asked } else { self.asked & !LOOP_ONLY };
        let before = match &self.place {
            Some(place) => place.slot.wanted.swap(wanted, SeqCst),
            None => 0,
        };
        let changed = before ^ wanted | bit(libc::SIGINT);
        (1..SIGNALS as c_int)
            .filter(|signal| changed & bit(*signal) != 0)
            .try_for_each(|signal| process.settle(signal))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return; // at rest, or a forked child's copy
        }
        for (_, signal) in NAMES {
            self.unwatch(signal);
        }
        self.set_running(false);
        if let Some(place) = &self.place {
            let mut process = process();
            place.slot.wake.store(-1, SeqCst);
            handler::settle_down();
            process.give_back(place.number);
        }
    }
}
