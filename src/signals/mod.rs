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

use std::ffi::c_int;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use handler::{LAST, SIGNALS, TABLE, bit};
use process::{Process, process};

pub use names::NAMES;

/// Whose action is the host's except while a loop of our own runs.
const LOOP_ONLY: u32 = 1 << libc::SIGINT | 1 << libc::SIGTERM;

/// What a watcher has once it watches.
#[derive(Debug)]
struct Place {
    slot: usize,
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
                TABLE[place.slot].pending.fetch_and(!bit(signal), SeqCst);
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
        let slot = &TABLE[self.place.as_ref()?.slot];
        let signal = slot.pending.load(SeqCst).trailing_zeros();
        slot.pending.fetch_and(!(1 << signal), SeqCst);
        Some(signal as c_int)
    }

    /// True when there is a signal to take.
    pub fn has_come(&self) -> bool {
        let place = self.place.as_ref().filter(|_| self.process == std::process::id());
        place.is_some_and(|place| TABLE[place.slot].pending.load(SeqCst) != 0)
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
        let Some(slot) = process.taken.iter().position(|taken| !taken) else {
            return Err(io::Error::other("too many Lua states watch signals"));
        };
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        TABLE[slot].pending.store(0, SeqCst);
        TABLE[slot].wake.store(writer.as_raw_fd(), SeqCst);
        process.taken[slot] = true;
        self.place = Some(Place { slot, reader, _writer: writer });
        Ok(())
    }

    /// Tells the handler what is wanted by now, and gives the signals their actions.
    fn publish(&self, process: &mut Process) -> io::Result<()> {
        let wanted = if self.running { self.asked } else { self.asked & !LOOP_ONLY };
        let before = match &self.place {
            Some(place) => TABLE[place.slot].wanted.swap(wanted, SeqCst),
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
            TABLE[place.slot].wake.store(-1, SeqCst);
            handler::settle_down();
            process.taken[place.slot] = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::channel;
    use std::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(10);

    extern "C" fn foreign(_: c_int) {}

    fn foreigner() -> libc::sighandler_t {
        foreign as extern "C" fn(c_int) as libc::sighandler_t
    }

    fn set(signal: c_int, action: libc::sighandler_t) {
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(signal, action) };
    }

    fn current(signal: c_int) -> libc::sighandler_t {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: only reads the present action, which is always possible.
        unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            action.assume_init().sa_sigaction
        }
    }

    fn send(signal: c_int) {
        // SAFETY: to this process, where a watcher has a handler.
        unsafe { libc::kill(libc::getpid(), signal) };
    }

    /// Sleeps until a signal has come.
    fn hear(watcher: &mut Watcher) -> c_int {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            watcher.sleep(PATIENCE);
            if let Some(signal) = watcher.take() {
                return signal;
            }
        }
        panic!("no signal has come");
    }

    #[test]
    fn sigint_and_sigterm_are_the_hosts_but_for_loops_of_our_own() {
        set(libc::SIGINT, foreigner());
        set(libc::SIGTERM, foreigner());
        let (mut first, mut last) = (Watcher::default(), Watcher::default());
        first.watch(libc::SIGTERM, false).unwrap();
        assert_eq!(current(libc::SIGTERM), foreigner());
        first.set_running(true);
        last.set_running(true);
        assert_eq!(current(libc::SIGINT), libc::SIG_DFL);
        assert_ne!(current(libc::SIGTERM), foreigner());
        last.watch(libc::SIGINT, false).unwrap();
        assert_eq!(current(libc::SIGINT), current(libc::SIGTERM));
        drop(first);
        assert_eq!(current(libc::SIGTERM), foreigner());
        last.unwatch(libc::SIGINT);
        assert_eq!(current(libc::SIGINT), libc::SIG_DFL);
        last.set_running(false);
        assert_eq!(current(libc::SIGINT), foreigner());
        // A process started with SIGINT ignored keeps it so.
        set(libc::SIGINT, libc::SIG_IGN);
        last.set_running(true);
        assert_eq!(current(libc::SIGINT), libc::SIG_IGN);
        drop(last);
        assert_eq!(current(libc::SIGINT), libc::SIG_IGN);
        set(libc::SIGINT, libc::SIG_DFL);
        set(libc::SIGTERM, libc::SIG_DFL);
    }

    #[test]
    fn every_watcher_hears_a_signal_and_the_last_puts_the_action_back() {
        set(libc::SIGUSR1, foreigner());
        let (ready, go) = channel();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let ready = ready.clone();
                std::thread::spawn(move || {
                    let mut watcher = Watcher::default();
                    watcher.watch(libc::SIGUSR1, false).unwrap();
                    ready.send(()).unwrap();
                    hear(&mut watcher)
                })
            })
            .collect();
        for _ in &threads {
            go.recv().unwrap();
        }
        send(libc::SIGUSR1);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), libc::SIGUSR1);
        }
        assert_eq!(current(libc::SIGUSR1), foreigner());
        set(libc::SIGUSR1, libc::SIG_DFL);
    }

    #[test]
    fn the_last_signal_of_a_storm_is_heard() {
        static SENT: AtomicUsize = AtomicUsize::new(0);
        const STORM: usize = 20_000;
        let mut watcher = Watcher::default();
        watcher.watch(libc::SIGUSR2, false).unwrap();
        let sender = std::thread::spawn(|| {
            for count in 1..=STORM {
                SENT.store(count, SeqCst);
                send(libc::SIGUSR2);
            }
        });
        loop {
            assert_eq!(hear(&mut watcher), libc::SIGUSR2);
            if SENT.load(SeqCst) == STORM {
                break;
            }
        }
        sender.join().unwrap();
    }

    #[test]
    fn an_action_that_somebody_else_has_set_since_is_left() {
        let mut watcher = Watcher::default();
        watcher.watch(libc::SIGURG, false).unwrap();
        set(libc::SIGURG, foreigner());
        drop(watcher);
        assert_eq!(current(libc::SIGURG), foreigner());
        set(libc::SIGURG, libc::SIG_DFL);
    }

    #[test]
    fn what_cannot_be_watched_is_refused_and_changes_nothing() {
        let mut watcher = Watcher::default();
        for signal in [libc::SIGKILL, libc::SIGSTOP, 0, -1, 64] {
            let refusal = watcher.watch(signal, false).unwrap_err();
            assert_eq!(refusal.raw_os_error(), Some(libc::EINVAL));
        }
        watcher.watch(libc::SIGPROF, false).unwrap();
    }

    #[test]
    fn a_forked_child_is_ended_by_what_its_parent_watches() {
        let mut watcher = Watcher::default();
        watcher.watch(libc::SIGVTALRM, false).unwrap();
        // SAFETY: the child only raises a signal.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: both are async-signal-safe.
            unsafe {
                libc::raise(libc::SIGVTALRM);
                libc::_exit(0);
            }
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGVTALRM);
        assert_eq!(watcher.take(), None);
    }

    #[test]
    fn a_fault_still_ends_the_process() {
        let mut watcher = Watcher::default();
        watcher.watch(libc::SIGBUS, false).unwrap();
        watcher.watch(libc::SIGSEGV, false).unwrap();
        // SAFETY: a page that may not be written to.
        let page = unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
            libc::mmap(std::ptr::null_mut(), 1, libc::PROT_NONE, flags, -1, 0)
        };
        // SAFETY: the child makes its own handlers, as whoever watches after a fork does, and ends
        // by its fault.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let watched = watcher.watch(libc::SIGSEGV, false).is_ok();
            let watched = watched && watcher.watch(libc::SIGBUS, false).is_ok();
            if watched {
                // SAFETY: it is not: that is the test.
                unsafe { page.cast::<u8>().write_volatile(0) };
            }
            // SAFETY: leaves without running what belongs to the parent.
            unsafe { libc::_exit(1) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &mut status, 0) };
        let by = libc::WTERMSIG(status);
        assert!(libc::WIFSIGNALED(status) && [libc::SIGSEGV, libc::SIGBUS].contains(&by));
    }
}
