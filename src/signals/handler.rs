//! What runs inside the signal handler, and the calls that install it.
//!
//! A handler may interrupt anything, so it takes no lock and touches nothing but atomics and
//! descriptors: one slot of a static table for each watcher.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering::SeqCst};

use super::fuse;

/// Signals are 1 to 31, so that a set of them is 32 bits.
pub(super) const SIGNALS: usize = 32;

/// How many Lua states may watch signals at once.
pub(super) const SLOTS: usize = 256;

/// One watcher's place. Signals are bits.
#[derive(Debug)]
pub(super) struct Slot {
    /// What it wants to hear of.
    pub(super) wanted: AtomicU32,
    /// What has come since it last looked.
    pub(super) pending: AtomicU32,
    /// A socket that is written to when something has come; -1 where nobody has the slot.
    pub(super) wake: AtomicI32,
}

pub(super) static TABLE: [Slot; SLOTS] = [const {
    Slot { wanted: AtomicU32::new(0), pending: AtomicU32::new(0), wake: AtomicI32::new(-1) }
}; SLOTS];

/// The process that watches. A forked child has the handlers, but nobody who looks.
pub(super) static OWNER: AtomicI32 = AtomicI32::new(0);

/// Signals that end the process: the next one, or the fuse, does so without asking.
pub(super) static LAST: AtomicU32 = AtomicU32::new(0);

/// Handlers at work, in any thread: a descriptor is closed only when none of them can have it.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// Signals that the processor raises at an instruction, which would raise them for ever.
const FAULTS: [c_int; 6] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// The codes of those, on every system; others mean that somebody has sent the signal.
const FAULT_CODES: std::ops::RangeInclusive<c_int> = 1..=0x80;

pub(super) fn bit(signal: c_int) -> u32 {
    1 << signal
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: only async-signal-safe calls, and errno is left as it was found. With SA_SIGINFO the
    // system gives a valid `info`.
    unsafe {
        let errno = errno();
        let kept = *errno;
        BUSY.fetch_add(1, SeqCst);
        if OWNER.load(SeqCst) != libc::getpid() {
            // What nobody here will look at does what it does to any process.
            set_default(signal);
            libc::raise(signal);
        } else if FAULTS.contains(&signal) && FAULT_CODES.contains(&(*info).si_code) {
            set_default(signal); // the instruction fails again
        } else {
            announce(signal);
        }
        BUSY.fetch_sub(1, SeqCst);
        *errno = kept;
    }
}

/// # Safety
/// For the handler only.
unsafe fn announce(signal: c_int) {
    if LAST.load(SeqCst) & bit(signal) != 0 {
        set_default(signal);
        fuse::light();
    }
    for slot in &TABLE {
        if slot.wanted.load(SeqCst) & bit(signal) != 0 {
            slot.pending.fetch_or(bit(signal), SeqCst);
            let wake = slot.wake.load(SeqCst);
            // SAFETY: async-signal-safe. The descriptor is not closed before BUSY is zero. A full
            // socket wakes its reader anyway.
            unsafe {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                libc::send(wake, c"!".as_ptr().cast(), 1, flags);
            }
        }
    }
}

fn set_default(signal: c_int) {
    // SAFETY: an action without a handler; async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

/// # Safety
/// The place is this thread's.
unsafe fn errno() -> *mut c_int {
    #[cfg(target_os = "linux")]
    // SAFETY: always valid.
    unsafe {
        libc::__errno_location()
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: always valid.
    unsafe {
        libc::__error()
    }
}

/// Waits until no handler can still have what a slot held before this call. It takes as long as
/// they do: a few system calls.
pub(super) fn settle_down() {
    while BUSY.load(SeqCst) != 0 {
        std::thread::yield_now();
    }
}

/// A forked child: handlers of the parent's other threads will never end here, and its own would
/// tell nobody.
pub(super) fn forget_parent() {
    for signal in 1..SIGNALS as c_int {
        if Action::current(signal).is_ok_and(Action::is_ours) {
            set_default(signal);
        }
    }
    BUSY.store(0, SeqCst);
    LAST.store(0, SeqCst);
    for slot in &TABLE {
        slot.wanted.store(0, SeqCst);
        slot.pending.store(0, SeqCst);
        slot.wake.store(-1, SeqCst);
    }
    OWNER.store(std::process::id() as i32, SeqCst);
}

/// What a signal does to the process.
#[derive(Clone, Copy)]
pub(super) struct Action(libc::sigaction);

impl Action {
    /// The system's own.
    pub(super) fn default_one() -> Action {
        // SAFETY: an action of zeros has no flags and an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = libc::SIG_DFL;
        Action(action)
    }

    /// Our handler. Calls of the host's that it interrupts go on.
    pub(super) fn ours() -> Action {
        let Action(mut action) = Action::default_one();
        type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        action.sa_sigaction = handle as Handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_SIGINFO | libc::SA_ONSTACK;
        Action(action)
    }

    pub(super) fn current(signal: c_int) -> io::Result<Action> {
        let mut action = MaybeUninit::uninit();
        // SAFETY: with no new action given, sigaction only fills in the present one.
        let result = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded.
        Ok(Action(unsafe { action.assume_init() }))
    }

    pub(super) fn install(self, signal: c_int) -> io::Result<()> {
        // SAFETY: either made above or given by the system.
        match unsafe { libc::sigaction(signal, &self.0, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(super) fn ignores(self) -> bool {
        self.0.sa_sigaction == libc::SIG_IGN
    }

    pub(super) fn is_ours(self) -> bool {
        self.0.sa_sigaction == Action::ours().0.sa_sigaction
    }

    pub(super) fn is_default(self) -> bool {
        self.0.sa_sigaction == libc::SIG_DFL
    }
}
