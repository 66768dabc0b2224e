//! Keeps the signals that a write may raise from the process.
//!
//! A host's own action for SIGPIPE is not ours to change, so this thread alone blocks it during the
//! write, and takes back the one that came of it.

use std::io;
use std::mem::MaybeUninit;

/// SIGPIPE and SIGXFSZ blocked in this thread for as long as one of these lives.
pub(super) struct Shield {
    before: libc::sigset_t,
    /// Pending before, and so somebody else's to have.
    foreign: libc::sigset_t,
}

/// What a failed write raises, by its error.
const RAISED: [(libc::c_int, libc::c_int); 2] =
    [(libc::EPIPE, libc::SIGPIPE), (libc::EFBIG, libc::SIGXFSZ)];

impl Shield {
    pub(super) fn raise() -> Shield {
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        let signals = set_of(RAISED.map(|(_, signal)| signal));
        // SAFETY: both sets are valid for the call; with valid arguments it cannot fail.
        let before = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &signals, before.as_mut_ptr());
            before.assume_init()
        };
        Shield { before, foreign: pending() }
    }

    /// Takes back the signal that came with an error.
    pub(super) fn absorb(&self, error: &io::Error) {
        let raised = RAISED.iter().find(|(number, _)| error.raw_os_error() == Some(*number));
        let Some((_, signal)) = raised else { return };
        // SAFETY: the sets are valid. sigwait does not wait for a signal that is pending, and this
        // thread's own can go nowhere else, since it is blocked here.
        unsafe {
            let ours = libc::sigismember(&self.foreign, *signal) == 0
                && libc::sigismember(&pending(), *signal) == 1;
            if ours {
                let mut taken = 0;
                libc::sigwait(&set_of([*signal]), &mut taken);
            }
        }
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        // SAFETY: the set is the one that the system gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}

fn set_of<const N: usize>(signals: [libc::c_int; N]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set in; the signals are valid ones.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

fn pending() -> libc::sigset_t {
    let mut set = set_of([]);
    // SAFETY: the set is valid for the call.
    unsafe { libc::sigpending(&mut set) };
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_write_to_a_closed_pipe_is_an_error_and_no_signal() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        // SAFETY: the test runner ignores SIGPIPE; a child with the default action would die of it.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: only async-signal-safe calls between fork and exit.
            unsafe {
                libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                let shield = Shield::raise();
                let written = libc::write(writer.as_raw_fd(), b"x".as_ptr().cast(), 1);
                let error = io::Error::last_os_error();
                shield.absorb(&error);
                drop(shield);
                let failed = written == -1 && error.raw_os_error() == Some(libc::EPIPE);
                libc::_exit(if failed { 0 } else { 1 });
            }
        }
        let mut status = -1;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0);
    }
}
