//! Ctrl-C while our own loop runs.
//!
//! Interpreters install a handler for SIGINT that raises an error at the next instruction, which
//! never comes while the loop waits in the kernel. So while it runs, SIGINT does what it does to
//! any program: it ends the process at once, with the status a shell expects. SIGTERM is left as
//! it is, which is the same.

use std::mem::MaybeUninit;

/// The system's default for SIGINT, for as long as this lives; what was set before comes back.
#[derive(Debug)]
pub struct DefaultInterrupt {
    before: Option<Saved>,
}

struct Saved(libc::sigaction);

impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Saved")
    }
}

impl DefaultInterrupt {
    /// Installs it, unless the process was started with SIGINT ignored.
    pub fn install() -> DefaultInterrupt {
        let mut before = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: with no new action given, sigaction only fills in the old one.
        let known = unsafe { libc::sigaction(libc::SIGINT, std::ptr::null(), before.as_mut_ptr()) };
        if known != 0 {
            return DefaultInterrupt { before: None };
        }
        // SAFETY: the call above succeeded, so it is filled in.
        let before = unsafe { before.assume_init() };
        if before.sa_sigaction == libc::SIG_IGN {
            return DefaultInterrupt { before: None };
        }
        // SAFETY: SIG_DFL with an empty mask is a valid action.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
        }
        DefaultInterrupt { before: Some(Saved(before)) }
    }
}

impl Drop for DefaultInterrupt {
    fn drop(&mut self) {
        if let Some(Saved(before)) = &self.before {
            // SAFETY: it is the action that the system gave us.
            unsafe { libc::sigaction(libc::SIGINT, before, std::ptr::null_mut()) };
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
