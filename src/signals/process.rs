//! What signals do to the process, by what all watchers want of them.

use std::ffi::c_int;
use std::io;
use std::sync::atomic::Ordering::SeqCst;

use parking_lot::{Mutex, MutexGuard};

use super::fuse;
use super::handler::{self, Action, SLOTS, TABLE, bit};

/// Signals are 1 to 31, so that a set of them is 32 bits.
pub(super) const SIGNALS: usize = 32;

static PROCESS: Mutex<Process> =
    Mutex::new(Process { id: 0, loops: 0, before: [None; SIGNALS], taken: [false; SLOTS] });

pub(super) struct Process {
    /// Whose table this is; a forked child has a copy.
    id: u32,
    /// How many loops of our own are running.
    pub(super) loops: usize,
    /// What was set where we have set something else.
    before: [Option<Action>; SIGNALS],
    /// Which slots of the handler's table have an owner.
    pub(super) taken: [bool; SLOTS],
}

/// The table, made this process's own where it is a fork's copy.
pub(super) fn process() -> MutexGuard<'static, Process> {
    let mut process = PROCESS.lock();
    if process.id != std::process::id() {
        process.begin();
    }
    process
}

impl Process {
    fn begin(&mut self) {
        handler::forget_parent();
        fuse::remove();
        self.id = std::process::id();
        self.loops = 0;
        self.taken = [false; SLOTS];
        for signal in 1..SIGNALS as c_int {
            // What cannot be put back was never changed.
            let _ = self.settle(signal);
        }
    }

    /// Gives a signal the action that it must have by now.
    pub(super) fn settle(&mut self, signal: c_int) -> io::Result<()> {
        let place = &mut self.before[signal as usize];
        let known = *place;
        let watched = TABLE.iter().any(|slot| slot.wanted.load(SeqCst) & bit(signal) != 0);
        let interruptible = signal == libc::SIGINT && self.loops > 0;
        if !watched && !interruptible && known.is_none() {
            return Ok(());
        }
        let before = match known {
            Some(before) => before,
            None => Action::current(signal)?,
        };
        let wanted = match (watched, interruptible) {
            (true, _) => Some(Action::ours()),
            // Whoever starts a process with SIGINT ignored means it.
            (false, true) if !before.ignores() => Some(Action::default_one()),
            _ => None,
        };
        match wanted {
            Some(action) => {
                action.install(signal)?;
                *place = Some(before);
            }
            None => {
                *place = None;
                // Unless somebody else has set another one since.
                if known.is_some() && Action::current(signal)?.may_be_ours() {
                    before.install(signal)?;
                }
            }
        }
        Ok(())
    }
}
