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

/// The arguments of `next`: who waits for the events of each kind, by slot (and for requests what
/// `begin` names); the tasks' states; the scheduler; its books; its pool.
const WAITS: c_int = 1;
const STATES: c_int = 2;
const SCHEDULER: c_int = 3;
const BOOKS: c_int = 4;
const POOL: c_int = 5;

/// In the books: how many tasks are ready (or that the loop has ended), how many coroutines are in the
/// pool, the state of a task that runs, and where the scheduler keeps the current one: texts, which Lua
/// then need not look up. The table itself is what a task yields to wait.
const READY: ffi::lua_Integer = 1;
const POOLED: ffi::lua_Integer = 2;
const RUN: ffi::lua_Integer = 3;
const CURRENT: ffi::lua_Integer = 4;

/// How `next` goes on.
pub(super) enum Course {
    /// With the next event.
    Next,
    /// Lua has tasks to run first.
    Ready,
    /// Lua has to see to a task: the thread, whether it went well, and what it yielded or failed with
    /// are on top of the stack.
    Look,
    /// The pool is empty: the event is to be put back.
    Feed,
    /// The event is for Lua.
    Script,
}

/// Hands an event to the task that waits in its slot, unless that has been cancelled meanwhile.
///
/// # Safety
/// For `next` only, with its five arguments on the stack. May raise; owns nothing.
pub(super) unsafe fn wake(state: *mut lua_State, hold: *mut Hold, parcel: &Parcel) -> Course {
    // SAFETY: stack use is balanced and within the free places of a C function; no index is invalid.
    unsafe {
        let slot = parcel.numbers[0] as ffi::lua_Integer;
        ffi::lua_rawgeti(state, WAITS, parcel.kind as ffi::lua_Integer);
        let waiting = POOL + 1;
        let thread = waiting + 1;
        if ffi::lua_istable(state, waiting) == 0 {
            ffi::lua_settop(state, POOL);
            return Course::Script;
        }
        ffi::lua_pushnil(state);
        let given = parcel.push(state, 1);
        // Only now, since a finaliser may have run: it may cancel the task, or end the loop.
        ffi::lua_rawgeti(state, waiting, slot);
        ffi::lua_replace(state, thread);
        if !is_known(state, thread) || is_over(state) {
            ffi::lua_pushnil(state);
            ffi::lua_rawseti(state, waiting, slot);
            ffi::lua_settop(state, POOL);
            (*hold).pushing = false;
            return Course::Next;
        }
        set_current(state, thread);
        ffi::lua_pushnil(state);
        ffi::lua_rawseti(state, waiting, slot);
        (*hold).pushing = false;
        go_on(state, thread, given)
    }
}

/// Starts a task for a request: `waits` has, under its kind, a list of the function that handles it, the
/// peers by slot, and the tables of what tasks owe and to whom.
///
/// # Safety
/// As [`wake`].
pub(super) unsafe fn begin(state: *mut lua_State, hold: *mut Hold, parcel: &Parcel) -> Course {
    // SAFETY: as in `wake`.
    unsafe {
        let [slot, fd, ..] = parcel.numbers;
        ffi::lua_rawgeti(state, WAITS, parcel.kind as ffi::lua_Integer);
        let service = POOL + 1;
        let thread = service + 1;
        if ffi::lua_istable(state, service) == 0 {
            ffi::lua_settop(state, POOL);
            return Course::Script;
        }
        ffi::lua_pushnil(state);
        ffi::lua_rawgeti(state, service, 1);
        ffi::lua_rawgeti(state, service, 2);
        ffi::lua_rawgeti(state, -1, slot as ffi::lua_Integer);
        ffi::lua_remove(state, -2);
        let peer = thread + 2;
        let given = 2 + parcel.push(state, 1);
        // Only now, since a finaliser may have run: it may start tasks, or end the loop.
        if is_over(state) {
            ffi::lua_settop(state, POOL);
            (*hold).pushing = false;
            return Course::Next;
        }
        if !pick(state) {
            ffi::lua_settop(state, POOL);
            return Course::Feed;
        }
        ffi::lua_replace(state, thread);
        set_current(state, thread);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_rawgeti(state, BOOKS, RUN);
        ffi::lua_rawset(state, STATES);
        ffi::lua_rawgeti(state, service, 4);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_pushvalue(state, peer);
        ffi::lua_rawset(state, -3);
        ffi::lua_rawgeti(state, service, 3);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_pushinteger(state, fd as ffi::lua_Integer);
        ffi::lua_rawset(state, -3);
        ffi::lua_settop(state, -3);
        (*hold).pushing = false;
        go_on(state, thread, given)
    }
}

/// Takes a coroutine that can take a function out of the pool, and pushes it.
///
/// # Safety
/// As [`wake`]. Does not raise, since the fields that are set are there, and runs no finaliser.
unsafe fn pick(state: *mut lua_State) -> bool {
    // SAFETY: as in `wake`.
    unsafe {
        loop {
            let place = number(state, POOLED);
            if place == 0 {
                return false;
            }
            ffi::lua_rawgeti(state, POOL, place);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_rawseti(state, POOL, place);
            ffi::lua_pushinteger(state, place - 1);
            ffi::lua_rawseti(state, BOOKS, POOLED);
            let task = ffi::lua_tothread(state, -1);
            if !task.is_null() && ffi::lua_status(task) == ffi::LUA_YIELD {
                return true;
            }
            // Its last owner has kept it and closed or resumed it.
            ffi::lua_settop(state, -2);
        }
    }
}

/// Whether the loop has ended.
///
/// # Safety
/// As [`wake`]. Does not raise.
unsafe fn is_over(state: *mut lua_State) -> bool {
    // SAFETY: as in `wake`.
    unsafe { number(state, READY) < 0 }
}

/// Whether there is a task at `thread` that has a state.
///
/// # Safety
/// As [`wake`]. Does not raise.
unsafe fn is_known(state: *mut lua_State, thread: c_int) -> bool {
    // SAFETY: as in `wake`.
    unsafe {
        if ffi::lua_isthread(state, thread) == 0 {
            return false;
        }
        ffi::lua_pushvalue(state, thread);
        ffi::lua_rawget(state, STATES);
        let known = ffi::lua_isnil(state, -1) == 0;
        ffi::lua_settop(state, -2);
        known
    }
}

/// A number in the books.
///
/// # Safety
/// As [`wake`]. Does not raise.
unsafe fn number(state: *mut lua_State, place: ffi::lua_Integer) -> ffi::lua_Integer {
    // SAFETY: as in `wake`.
    unsafe {
        ffi::lua_rawgeti(state, BOOKS, place);
        let number = ffi::lua_tointegerx(state, -1, std::ptr::null_mut());
        ffi::lua_settop(state, -2);
        number
    }
}

/// # Safety
/// As [`wake`].
unsafe fn set_current(state: *mut lua_State, thread: c_int) {
    // SAFETY: as in `wake`; the scheduler is a table without a metatable.
    unsafe {
        ffi::lua_rawgeti(state, BOOKS, CURRENT);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_rawset(state, SCHEDULER);
    }
}

/// Resumes a task, which is the current one, with so many values from the top of the stack.
///
/// # Safety
/// As [`wake`].
unsafe fn go_on(state: *mut lua_State, thread: c_int, given: c_int) -> Course {
    // SAFETY: as in `wake`; the task waits in a yield, or is told apart before it is touched. It runs
    // protected; nothing of this library is borrowed meanwhile.
    unsafe {
        let task = ffi::lua_tothread(state, thread);
        let refused = if ffi::lua_status(task) != ffi::LUA_YIELD {
            Some(c"cannot resume dead coroutine")
        } else if ffi::lua_checkstack(task, given) == 0 {
            Some(c"not enough memory")
        } else {
            None
        };
        if let Some(why) = refused {
            ffi::lua_settop(state, thread);
            ffi::lua_pushboolean(state, 0);
            ffi::lua_pushstring(state, why.as_ptr());
            return Course::Look;
        }
        ffi::lua_xmove(state, task, given);
        let mut results = 0;
        let status = ffi::lua_resume(task, state, given, &mut results);
        let fine = status == ffi::LUA_OK || status == ffi::LUA_YIELD;
        if fine && results == 1 && ffi::lua_topointer(task, -1) == ffi::lua_topointer(state, BOOKS)
        {
            ffi::lua_settop(task, -2);
            ffi::lua_settop(state, POOL);
            ffi::lua_rawgeti(state, BOOKS, CURRENT);
            ffi::lua_pushnil(state);
            ffi::lua_rawset(state, SCHEDULER);
            return if number(state, READY) == 0 { Course::Next } else { Course::Ready };
        }
        ffi::lua_settop(state, thread);
        ffi::lua_pushboolean(state, c_int::from(fine));
        if fine && results == 0 {
            ffi::lua_pushnil(state);
        } else {
            if fine {
                ffi::lua_settop(task, -results); // the first of them
            }
            ffi::lua_xmove(task, state, 1);
        }
        Course::Look
    }
}
