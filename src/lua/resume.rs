//! Going on with tasks: an answer to the one that waits for it, a request to a fresh one.
//!
//! This is what scheduler.lua does for everything else, with the tables that it keeps. It is here, too,
//! because a message passes through it: from Lua it takes twice the instructions.
//!
//! What is done in Lua's tables comes in an order that a lack of memory may end anywhere: as long as the
//! hold says that the event is being pushed, the event is lost natively (`Cluster::lose`); from then on
//! the task is the scheduler's current one, which `scheduler.recover` ends.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::parcel::Parcel;
use super::raw::Hold;
use super::tasks::{self, Outcome, RUN, STATES, WAITS};

/// What stands on the stack of `next` between events: its argument, and from the first request on what
/// handles one: the function, the peers by slot, and the tables of what tasks owe and to whom.
const PROCESS: c_int = 2;
const PEERS: c_int = 3;
const OWED: c_int = 4;
const PATRONS: c_int = 5;
pub(super) const BASE: c_int = PATRONS;

/// How `next` goes on.
pub(super) enum Course {
    /// With the next event.
    Next,
    /// Lua has tasks to run first.
    Ready,
    /// Lua has to see to a task: the thread, whether it went well, and what it yielded or failed with
    /// are on top of the stack.
    Look,
    /// The event is for Lua.
    Script,
}

/// Hands an event to the task that waits in its slot; one that has been cancelled meanwhile does not.
///
/// # Safety
/// For `next` only. May raise; owns nothing.
pub(super) unsafe fn wake(state: *mut lua_State, hold: *mut Hold, parcel: &Parcel) -> Course {
    // SAFETY: stack use is balanced and within the free places of a C function; no index is invalid.
    unsafe {
        let slot = parcel.numbers[0] as ffi::lua_Integer;
        ffi::lua_rawgeti(state, WAITS, parcel.kind as ffi::lua_Integer);
        let waiting = BASE + 1;
        let thread = waiting + 1;
        if ffi::lua_istable(state, waiting) == 0 {
            ffi::lua_settop(state, BASE);
            return Course::Script;
        }
        ffi::lua_pushnil(state);
        let given = parcel.push(state, 1);
        // Only now, since a finaliser may have run: it may cancel the task, or end the loop.
        ffi::lua_rawgeti(state, waiting, slot);
        ffi::lua_replace(state, thread);
        let wanted = ffi::lua_isthread(state, thread) != 0 && !is_over(&*hold);
        if wanted {
            tasks::set_current(state, thread);
        }
        ffi::lua_pushnil(state);
        ffi::lua_rawseti(state, waiting, slot);
        (*hold).pushing = false;
        if wanted {
            return after(state, tasks::go_on(state, thread, given));
        }
        ffi::lua_settop(state, BASE);
        Course::Next
    }
}

/// Starts a task for a request.
///
/// # Safety
/// As [`wake`].
pub(super) unsafe fn begin(state: *mut lua_State, hold: *mut Hold, parcel: &Parcel) -> Course {
    // SAFETY: as in `wake`; a coroutine of the pool does not run, and waits for a function.
    unsafe {
        let [slot, fd, ..] = parcel.numbers;
        if ffi::lua_isnil(state, PROCESS) != 0 && !find_service(state, parcel.kind) {
            return Course::Script;
        }
        // Before anything else that may run a finaliser, which may start tasks, too: this one is ours.
        tasks::pick(state, hold);
        let thread = BASE + 1;
        ffi::lua_pushvalue(state, PROCESS);
        ffi::lua_rawgeti(state, PEERS, slot as ffi::lua_Integer);
        let peer = thread + 2;
        let given = 2 + parcel.push(state, 1);
        // Only now, since a finaliser may have ended the loop.
        if is_over(&*hold) {
            ffi::lua_settop(state, BASE);
            (*hold).pushing = false;
            return Course::Next;
        }
        tasks::set_current(state, thread);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_rawgeti(state, tasks::BOOKS, RUN);
        ffi::lua_rawset(state, STATES);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_pushvalue(state, peer);
        ffi::lua_rawset(state, PATRONS);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_pushinteger(state, fd as ffi::lua_Integer);
        ffi::lua_rawset(state, OWED);
        (*hold).pushing = false;
        after(state, tasks::start(state, thread, given))
    }
}

/// Lays out what handles requests, which `waits` has under their kind; false when there is nothing yet.
///
/// # Safety
/// As [`wake`]. Does not raise.
unsafe fn find_service(state: *mut lua_State, kind: i64) -> bool {
    // SAFETY: as in `wake`.
    unsafe {
        ffi::lua_rawgeti(state, WAITS, kind as ffi::lua_Integer);
        let service = BASE + 1;
        let found = ffi::lua_istable(state, service) != 0;
        for place in PROCESS..=PATRONS {
            if found {
                ffi::lua_rawgeti(state, service, ffi::lua_Integer::from(place - PROCESS + 1));
                ffi::lua_replace(state, place);
            }
        }
        ffi::lua_settop(state, BASE);
        found
    }
}

/// Whether the loop has ended.
fn is_over(hold: &Hold) -> bool {
    hold.node.try_borrow().is_ok_and(|node| node.is_over())
}

/// How to go on once a task has run.
///
/// # Safety
/// As [`wake`].
unsafe fn after(state: *mut lua_State, outcome: Outcome) -> Course {
    // SAFETY: what is on the stack above the base is the task's only.
    unsafe {
        match outcome {
            Outcome::Look => Course::Look,
            Outcome::Usual => {
                ffi::lua_settop(state, BASE);
                if tasks::is_idle(state) { Course::Next } else { Course::Ready }
            }
        }
    }
}
