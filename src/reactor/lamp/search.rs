//! Finds the poll set of a runtime, which tokio does not show.
//!
//! The kernel lists what each poll set watches. So a socket of ours is registered with the
//! runtime, and the set that gains a line with its number is the runtime's. To compare which sets
//! there are before and after a runtime is made would be simpler, and wrong when another thread
//! makes one at that moment; nobody else can register a descriptor that only we know. A line with
//! that number may be there already, left by one of the same number that lives on elsewhere as a
//! duplicate; hence the lines are counted before, too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;

use tokio::runtime::Handle;

/// Of the calling thread: a process whose first thread has ended shows nothing as its own.
const PROC: &str = "/proc/thread-self";

/// A duplicate of the poll set of `handle`'s runtime.
pub(super) fn poll_set(handle: &Handle) -> io::Result<OwnedFd> {
    poll_set_with(handle, UnixDatagram::unbound()?)
}

fn poll_set_with(handle: &Handle, probe: UnixDatagram) -> io::Result<OwnedFd> {
    probe.set_nonblocking(true)?;
    let number = probe.as_raw_fd();
    let before = watchers(number)?;
    let _inside = handle.enter();
    let _registered = tokio::net::UnixDatagram::from_std(probe)?;
    let after = watchers(number)?;
    // The runtime has its set under two numbers; either will do.
    let found = after.iter().find(|(set, lines)| before.get(set).is_some_and(|old| old < lines));
    let (set, _) = found.ok_or_else(|| io::Error::other(format!("{PROC} shows no poll set")))?;
    // SAFETY: the runtime keeps it open, and nobody drops that while it is asked here.
    unsafe { BorrowedFd::borrow_raw(*set) }.try_clone_to_owned()
}

/// Every poll set of the process, and how many of its lines name a descriptor.
fn watchers(number: RawFd) -> io::Result<BTreeMap<RawFd, usize>> {
    let unreadable = |error| io::Error::other(format!("{PROC} cannot be read: {error}"));
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(format!("{PROC}/fd")).map_err(unreadable)? {
        let Some(fd) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let target = fs::read_link(format!("{PROC}/fd/{fd}"));
        if !target.is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]") {
            continue;
        }
        // Another thread may have closed it meanwhile.
        if let Ok(text) = fs::read_to_string(format!("{PROC}/fdinfo/{fd}")) {
            found.insert(fd, lines(&text, number));
        }
    }
    Ok(found)
}

/// How often a set's description names a descriptor that it watches.
fn lines(text: &str, number: RawFd) -> usize {
    let watched = text.lines().filter_map(|line| line.strip_prefix("tfd:"));
    watched.filter(|rest| rest.split_whitespace().next() == Some(&number.to_string())).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::os::fd::FromRawFd;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::runtime::{Builder, Runtime};

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Something that the runtime watches.
    fn mark(runtime: &Runtime) -> tokio::net::UnixDatagram {
        let _inside = runtime.enter();
        tokio::net::UnixDatagram::unbound().unwrap()
    }

    fn watches(set: &OwnedFd, number: RawFd) -> bool {
        watchers(number).unwrap()[&set.as_raw_fd()] > 0
    }

    #[test]
    fn a_line_names_its_descriptor_exactly() {
        let text = "pos:\t0\nflags:\t02\ntfd:       17 events: 19 data: 11\n\
                    tfd:        7 events: 19 data: 17\ntfd:        7 events: 19\n";
        assert_eq!((lines(text, 7), lines(text, 17), lines(text, 1)), (2, 1, 0));
    }

    #[test]
    fn each_runtime_is_told_from_the_others_while_a_thread_makes_more() {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(runtime());
                }
            });
            let all: Vec<Runtime> = (0..8).map(|_| runtime()).collect();
            let marks: Vec<_> = all.iter().map(mark).collect();
            for (runtime, mark) in all.iter().zip(&marks) {
                assert!(watches(&poll_set(runtime.handle()).unwrap(), mark.as_raw_fd()));
            }
            stop.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn what_a_number_left_behind_does_not_mislead() {
        // Never dropped: its number is the probe's by then.
        static STALE: Mutex<Option<tokio::net::UnixDatagram>> = Mutex::new(None);
        let (other, ours) = (runtime(), runtime());
        let stale = UnixDatagram::unbound().unwrap();
        stale.set_nonblocking(true).unwrap();
        let _alive = stale.try_clone().unwrap();
        let number = stale.as_raw_fd();
        let inside = other.enter();
        *STALE.lock() = Some(tokio::net::UnixDatagram::from_std(stale).unwrap());
        drop(inside);
        // The number gets another file; the set keeps its line for the one that lives on.
        let fresh = UnixDatagram::unbound().unwrap();
        // SAFETY: the number is this test's, and from here on the probe's alone.
        let probe = unsafe {
            assert_eq!(libc::dup2(fresh.as_raw_fd(), number), number);
            OwnedFd::from_raw_fd(number)
        };
        assert!(watchers(number).unwrap().values().any(|lines| *lines == 1));
        let mark = mark(&ours);
        let set = poll_set_with(ours.handle(), UnixDatagram::from(probe)).unwrap();
        assert!(watches(&set, mark.as_raw_fd()));
    }
}
