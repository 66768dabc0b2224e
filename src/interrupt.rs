//! Ctrl-C while our own loop runs.
//!
//! Interpreters install a handler for SIGINT that raises an error at the next instruction, which
//! never comes while the loop waits in the kernel. So while it runs, SIGINT does what it does to
//! any program: it ends the process at once, with the status a shell expects. SIGTERM is left as
//! it is, which is the same.

use std::mem::MaybeUninit;

use parking_lot::Mutex;

/// The action is the process's: with loops of several states at work, in threads of their own, the
/// first changes it and the last puts it back.
static PROCESS: Mutex<Process> = Mutex::new(Process { loops: 0, before: None });

struct Process {
    loops: usize,
    before: Option<libc::sigaction>,
}

/// The system's default for SIGINT, for as long as one of these lives; what was set before the
/// first comes back after the last.
#[derive(Debug)]
pub struct DefaultInterrupt(());

impl DefaultInterrupt {
    /// Installs it, unless the process was started with SIGINT ignored.
    pub fn install() -> DefaultInterrupt {
        let mut process = PROCESS.lock();
        process.loops += 1;
        if process.loops == 1 {
            process.before = DefaultInterrupt::exchange();
        }
        DefaultInterrupt(())
    }

    /// What was set, where it had to be changed.
    fn exchange() -> Option<libc::sigaction> {
        let mut before = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: with no new action given, sigaction only fills in the old one.
        let known = unsafe { libc::sigaction(libc::SIGINT, std::ptr::null(), before.as_mut_ptr()) };
        if known != 0 {
            return None;
        }
        // SAFETY: the call above succeeded, so it is filled in.
        let before = unsafe { before.assume_init() };
        if before.sa_sigaction == libc::SIG_IGN {
            return None;
        }
        // SAFETY: SIG_DFL with an empty mask is a valid action.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
        }
        Some(before)
    }
}

impl Drop for DefaultInterrupt {
    fn drop(&mut self) {
        let mut process = PROCESS.lock();
        process.loops -= 1;
        if process.loops == 0
            && let Some(before) = process.before.take()
        {
            // SAFETY: it is the action that the system gave us.
            unsafe { libc::sigaction(libc::SIGINT, &before, std::ptr::null_mut()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn handler(_: libc::c_int) {}

    fn current() -> libc::sighandler_t {
        // SAFETY: only reads the present action.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGINT, std::ptr::null(), &mut action);
            action.sa_sigaction
        }
    }

    #[test]
    fn a_handler_is_put_back_and_an_ignored_signal_stays_ignored() {
        let ours = handler as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGINT, ours) };
        let guard = DefaultInterrupt::install();
        assert_eq!(current(), libc::SIG_DFL);
        drop(guard);
        assert_eq!(current(), ours);
        let (first, last) = (DefaultInterrupt::install(), DefaultInterrupt::install());
        drop(first);
        assert_eq!(current(), libc::SIG_DFL);
        drop(last);
        assert_eq!(current(), ours);
        // SAFETY: ignoring and restoring are valid actions.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
        let guard = DefaultInterrupt::install();
        assert_eq!(current(), libc::SIG_IGN);
        drop(guard);
        assert_eq!(current(), libc::SIG_IGN);
        // SAFETY: as above.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    }
}
