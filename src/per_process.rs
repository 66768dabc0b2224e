//! What is the process's own: a forked child begins with one of its own.
//!
//! A child has a copy of its parent's memory but just one of its threads. A lock that another
//! thread held at that moment is never let go there, so a child must not wait for it.

use std::sync::atomic::{AtomicPtr, Ordering};

/// A value of this process. Those of its parents stay where they are.
pub(crate) struct PerProcess<T: 'static> {
    current: AtomicPtr<Entry<T>>,
}

struct Entry<T> {
    process: u32,
    value: T,
}

impl<T: Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess { current: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The value, made if there is none yet, from the parent's if there is one of a parent. Should
    /// two threads make one at once, one of the two is forgotten.
    pub(crate) fn get(&self, make: impl FnOnce(Option<&'static T>) -> T) -> &'static T {
        let process = std::process::id();
        let known = self.current.load(Ordering::Acquire);
        // SAFETY: null, or leaked below and so valid for ever.
        let entry = unsafe { known.as_ref::<'static>() };
        match entry {
            Some(entry) if entry.process == process => &entry.value,
            _ => {
                let value = make(entry.map(|entry| &entry.value));
                let fresh = Box::into_raw(Box::new(Entry { process, value }));
                let order = (Ordering::AcqRel, Ordering::Acquire);
                match self.current.compare_exchange(known, fresh, order.0, order.1) {
                    // SAFETY: leaked above.
                    Ok(_) => unsafe { &(*fresh).value },
                    // SAFETY: leaked by the thread that was first.
                    Err(other) => unsafe { &(*other).value },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[test]
    fn a_forked_child_gets_past_a_lock_that_nobody_will_let_go() {
        static NUMBER: PerProcess<Mutex<u32>> = PerProcess::new();
        let first = |_: Option<&'static Mutex<u32>>| Mutex::new(1);
        let held = NUMBER.get(first).lock();
        // SAFETY: the child only looks and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let own = NUMBER.get(|parents| Mutex::new(parents.map_or(0, |_| 2)));
            let again = NUMBER.get(|_| Mutex::new(3));
            let right = std::ptr::eq(own, again) && own.try_lock().is_some_and(|own| *own == 2);
            // SAFETY: leaves without running what belongs to the parent.
            unsafe { libc::_exit(if right { 0 } else { 1 }) };
        }
        let mut status = -1;
        // SAFETY: waits for the child made above.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!((status, *held), (0, 1));
    }
}
