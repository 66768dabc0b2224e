//! What signals do to the process, by what all watchers want of them.

use std::ffi::c_int;
use std::io;
use std::sync::atomic::Ordering::SeqCst;

use parking_lot::{Mutex, MutexGuard};

use crate::per_process::PerProcess;

use super::fuse;
use super::handler::{self, Action, SIGNALS, SLOTS, Slot, TABLE, bit};

static PROCESS: PerProcess<Mutex<Process>> = PerProcess::new();

pub(super) struct Process {
    /// The handler's table is ours; in a forked child it is a copy of its parent's at first.
    begun: bool,
    /// How many loops of our own are running.
    pub(super) loops: usize,
    /// What was set where we have set something else.
    before: [Option<Action>; SIGNALS],
    /// Which slots of the handler's table have an owner.
    taken: [bool; SLOTS],
}

/// The table. A forked child begins with an empty one, and with the system's action for what its
/// parent watches, which nobody looks at there.
pub(super) fn process() -> MutexGuard<'static, Process> {
    let table = PROCESS.get(|_| {
        let (before, taken) = ([None; SIGNALS], [false; SLOTS]);
        Mutex::new(Process { begun: false, loops: 0, before, taken })
    });
    let mut process = table.lock();
    if !process.begun {
        process.begun = true;
        handler::forget_parent();
        fuse::remove();
    }
    process
}

impl Process {
    /// A slot of the handler's table, and its number; `None` when all are taken.
    pub(super) fn take_slot(&mut self) -> Option<(usize, &'static Slot)> {
        let mut all = self.taken.iter_mut().zip(&TABLE).enumerate();
        let (number, (taken, slot)) = all.find(|(_, (taken, _))| !**taken)?;
        *taken = true;
        Some((number, slot))
    }

    /// The slot has no owner any more.
    pub(super) fn give_back(&mut self, number: usize) {
        if let Some(taken) = self.taken.get_mut(number) {
            *taken = false;
        }
    }

    /// Gives a signal the action that it must have by now.
    pub(super) fn settle(&mut self, signal: c_int) -> io::Result<()> {
        let Some(place) = self.before.get_mut(signal as usize) else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
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
                let current = Action::current(signal)?;
                if known.is_some() && (current.is_ours() || current.is_default()) {
                    before.install(signal)?;
                }
            }
        }
        Ok(())
    }
}
