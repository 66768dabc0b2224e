//! Notices that the process is a fork of the one that made a runtime.
//!
//! Asking for the process id at every call would be a system call each; the C library tells every
//! child instead, before anything else runs in it.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between this process and the first that called [`generation`].
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// A number that differs between a process and its forked children.
pub(super) fn generation() -> u32 {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handler only counts, which any child may do, and the library is never
        // unmapped. Without memory for it the call fails, and forks go unnoticed.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    FORKS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_of_another_generation() {
        let mine = generation();
        // SAFETY: the child does nothing but compare and leave.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let differs = generation() != mine;
            // SAFETY: leaves without running what belongs to the parent.
            unsafe { libc::_exit(if differs { 0 } else { 1 }) };
        }
        let mut status = -1;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!(generation(), mine);
    }
}
