//! The end of a process that was told to end and does not: a script that computes never sees the
//! signal, so the system sends another one when the time is up, which nobody catches any more.

use std::time::Duration;

/// From the signal to the end.
pub(super) const LIMIT: Duration = Duration::from_secs(2);

#[cfg(target_os = "linux")]
mod timer {
    use std::ffi::c_int;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::LIMIT;

    /// The timer's id and 1; ids begin at 0.
    static TIMER: AtomicUsize = AtomicUsize::new(0);

    /// Makes the timer; the handler may only start it.
    pub(in super::super) fn lay(signal: c_int) -> io::Result<()> {
        if TIMER.load(SeqCst) != 0 {
            return set(0);
        }
        let mut id: libc::timer_t = std::ptr::null_mut();
        // SAFETY: zeros are a valid sigevent, and both places are valid for the call.
        let made = unsafe {
            let mut event: libc::sigevent = std::mem::zeroed();
            event.sigev_notify = libc::SIGEV_SIGNAL;
            event.sigev_signo = signal;
            libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut id)
        };
        if made != 0 {
            return Err(io::Error::last_os_error());
        }
        TIMER.store(id as usize + 1, SeqCst);
        Ok(())
    }

    /// Starts the timer. Async-signal-safe.
    pub(in super::super) fn light() {
        // Should it fail, a second signal still ends the process.
        let _ = set(LIMIT.as_secs() as libc::time_t);
    }

    /// Takes the timer away, when no handler can be at work.
    pub(in super::super) fn remove() {
        let id = TIMER.swap(0, SeqCst);
        if id != 0 {
            // SAFETY: made above, and nobody else has its id any more. In a forked child, which
            // has no timers, it fails.
            unsafe { libc::timer_delete((id - 1) as libc::timer_t) };
        }
    }

    /// Seconds from now; 0 stops the timer.
    fn set(seconds: libc::time_t) -> io::Result<()> {
        let id = TIMER.load(SeqCst);
        if id == 0 {
            return Ok(());
        }
        // SAFETY: the id is a timer's; async-signal-safe.
        let result = unsafe {
            let mut time: libc::itimerspec = std::mem::zeroed();
            time.it_value.tv_sec = seconds;
            libc::timer_settime((id - 1) as libc::timer_t, 0, &time, std::ptr::null_mut())
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// Where the system has no such timers, a second signal ends a script that computes.
#[cfg(not(target_os = "linux"))]
mod timer {
    use std::ffi::c_int;
    use std::io;

    pub(in super::super) fn lay(_: c_int) -> io::Result<()> {
        Ok(())
    }
    pub(in super::super) fn light() {}
    pub(in super::super) fn remove() {}
}

pub(super) use timer::{lay, light, remove};
