//! Where the lines of the log go. It is the process's: the states of all threads share it.
//!
//! Whoever logs never waits for whoever reads. A line that the descriptor does not take at once is
//! kept, up to a limit, and beyond it is dropped and counted. What is kept is tried again with
//! each further line, by every loop that turns ([`patience`]), and for a bounded time at the end
//! ([`drain`]). Once there is room again, a line of our own says how many are missing.

mod backlog;
mod outlet;
mod shield;
mod stamp;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::per_process::PerProcess;

use backlog::Backlog;
use outlet::Outlet;

pub use outlet::Target;

/// How soon a loop tries again to write what is kept.
pub const RETRY: Duration = Duration::from_millis(50);

/// How often the end tries, while it waits.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// How long a line waits for other threads' lines. Only a file system that hangs takes longer.
const TURN_LIMIT: Duration = Duration::from_millis(100);

static SINK: PerProcess<Mutex<Sink>> = PerProcess::new();

/// True while lines are kept: what every turn of every loop asks, without the lock.
static BEHIND: AtomicBool = AtomicBool::new(false);

/// Lines dropped since the process began.
static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Sink {
    outlet: Outlet,
    backlog: Backlog,
}

impl Sink {
    /// A forked child writes to where its parent did, unless another thread was writing right then.
    /// What is kept is the parent's to write.
    fn inherit(parents: Option<&'static Mutex<Sink>>) -> Sink {
        BEHIND.store(false, Ordering::Release);
        let fallback = || Outlet::new(Target::Stderr);
        let known = parents.and_then(|sink| {
            let outlet = &mut sink.try_lock()?.outlet; // of the child's copy
            Some(std::mem::replace(outlet, fallback()))
        });
        Sink { outlet: known.unwrap_or_else(fallback), backlog: Backlog::default() }
    }

    /// Writes what the descriptor takes.
    fn push(&mut self) {
        let Sink { outlet, backlog } = self;
        let lost = backlog.write_with(stamp::now, |bytes| outlet.write(bytes));
        DROPPED.fetch_add(lost, Ordering::Relaxed);
        BEHIND.store(backlog.is_behind(), Ordering::Release);
    }
}

fn sink() -> Option<MutexGuard<'static, Sink>> {
    SINK.get(|parents| Mutex::new(Sink::inherit(parents))).try_lock_for(TURN_LIMIT)
}

fn busy() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "another thread is still writing to the log")
}

/// Writes one line, newline and all; date and time are put in front of it.
pub fn write(line: &[u8]) {
    let now = stamp::now();
    let Some(mut sink) = sink() else {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return;
    };
    sink.outlet.flush_stdio();
    if !sink.backlog.append(now.as_bytes(), line, stamp::now) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
    sink.push();
}

/// From now on lines go there; those that are kept, too.
pub fn set(target: Target) -> io::Result<()> {
    let outlet = Outlet::open(target)?;
    let mut sink = sink().ok_or_else(busy)?;
    sink.push();
    sink.outlet = outlet;
    sink.backlog.restart();
    sink.push();
    Ok(())
}

/// Opens the file again, which may have been renamed. Should that fail, the old one is kept.
pub fn reopen() -> io::Result<()> {
    let target = sink().ok_or_else(busy)?.outlet.target().clone();
    set(target)
}

/// How many lines were dropped since the process began.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// True while lines are kept.
pub fn is_behind() -> bool {
    BEHIND.load(Ordering::Acquire)
}

/// Tries what is kept, and says how long a loop that wanted to wait for `wait` may do so.
pub fn patience(wait: Option<Duration>) -> Option<Duration> {
    if !is_behind() {
        return wait;
    }
    if let Some(mut sink) = sink() {
        sink.push();
    }
    match is_behind() {
        true => Some(wait.unwrap_or(RETRY).min(RETRY)),
        false => wait,
    }
}

/// Tries what is kept for so long, at the end of a loop, a state or the process.
pub fn drain(limit: Duration) {
    let end = Instant::now() + limit;
    while is_behind() {
        if let Some(mut sink) = sink() {
            sink.push();
        }
        if !is_behind() || Instant::now() >= end {
            return;
        }
        std::thread::sleep(DRAIN_STEP);
    }
}
