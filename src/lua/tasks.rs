//! Tasks as native code sees them: coroutines that are loaded with a function, resumed, and taken back
//! into the pool once that has returned, with the tables that scheduler.lua keeps.
//!
//! A finished coroutine takes another function through the C interface, though not through Lua's own
//! `coroutine.resume`. So a task's function is the first on its stack, and what a task costs in memory
//! is mostly its own; and whoever has kept the thread of a finished task cannot resume it.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use super::raw::{Function, Hold, hold};
use super::{events, output};

/// What this file adds to the native table.
pub(super) const FUNCTIONS: [Function; 1] = [(c"bind", bind)];

/// How many finished coroutines are kept for the next tasks.
pub(super) const POOL_LIMIT: usize = 1024;

/// The upvalues of what `bind` makes, behind the hold: who waits for the events of each kind, by slot
/// (and for requests what `resume::begin` names); the tasks' states; the scheduler's books; its pool;
/// the trace ids of tasks that have one; the file that scripts print to, or nil.
pub(super) const WAITS: c_int = ffi::lua_upvalueindex(2);
pub(super) const STATES: c_int = ffi::lua_upvalueindex(3);
pub(super) const BOOKS: c_int = ffi::lua_upvalueindex(4);
const POOL: c_int = ffi::lua_upvalueindex(5);
const TRACES: c_int = ffi::lua_upvalueindex(6);
pub(super) const OUTPUT: c_int = ffi::lua_upvalueindex(7);
const BOUND: c_int = 6;

/// In the books: how many tasks are ready; the current task, or false; what to tell Lua of a task that
/// has returned, false when it does not want to know; and the state of one that runs, a text that Lua
/// then need not look up. The table itself is what a task yields to wait.
const READY: ffi::lua_Integer = 1;
const CURRENT: ffi::lua_Integer = 2;
const RETURNED: ffi::lua_Integer = 3;
pub(super) const RUN: ffi::lua_Integer = 4;

/// What a resumed task has come to.
pub(super) enum Outcome {
    /// It waits as usual, or has ended and nobody wants to know.
    Usual,
    /// Lua has to see to it: whether it went well, and what it yielded or failed with, are on top of
    /// the stack.
    Look,
}

/// `bind(waits, states, books, pool, traces, output)`: the functions `next`, `resume` and `obtain`.
unsafe extern "C-unwind" fn bind(state: *mut lua_State) -> c_int {
    // SAFETY: closures of the hold, upvalue 1 of this function, and the arguments. May raise; nothing
    // is owned.
    unsafe {
        ffi::lua_settop(state, BOUND);
        if !output::is_file(state, BOUND) {
            ffi::lua_pushnil(state);
            ffi::lua_replace(state, BOUND);
        }
        for function in [events::next, resume, obtain] {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
            for index in 1..=BOUND {
                ffi::lua_pushvalue(state, index);
            }
            ffi::lua_pushcclosure(state, function, 1 + BOUND);
        }
    }
    3
}

/// `obtain(fn, argument)`: a coroutine that is to call a function, and whether it is a new one.
unsafe extern "C-unwind" fn obtain(state: *mut lua_State) -> c_int {
    // SAFETY: a coroutine that holds nothing has room for two values. May raise; nothing is owned.
    unsafe {
        ffi::lua_settop(state, 2);
        let pooled = pick(state, hold(state));
        ffi::lua_insert(state, 1);
        ffi::lua_xmove(state, ffi::lua_tothread(state, 1), 2);
        ffi::lua_pushboolean(state, c_int::from(!pooled));
    }
    2
}

/// `resume(thread, ...)`: goes on with the current task, with what its yield is to return. Nothing when
/// Lua need not see to it, else what [`Outcome::Look`] says.
unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: as `go_on`; the thread is an argument of this function.
    unsafe {
        let given = ffi::lua_gettop(state) - 1;
        match go_on(state, 1, given) {
            Outcome::Usual => 0,
            Outcome::Look => 2,
        }
    }
}

/// Pushes a coroutine that waits for a function: one from the pool, or else a new one, and says which.
///
/// # Safety
/// For functions of `bind` only, with their hold. May raise and run finalisers for want of a pooled one;
/// then the pool is as it was.
pub(super) unsafe fn pick(state: *mut lua_State, hold: *mut Hold) -> bool {
    // SAFETY: balanced but for what is returned, within the free places of a C function; the field that
    // is set is there. The hold is not borrowed while others may run.
    unsafe {
        let place = (*hold).pooled;
        if place == 0 {
            ffi::lua_newthread(state);
            return false;
        }
        (*hold).pooled = place - 1;
        ffi::lua_rawgeti(state, POOL, place as ffi::lua_Integer);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_rawseti(state, POOL, place as ffi::lua_Integer);
        true
    }
}

/// Puts a coroutine that is finished, or has not begun, into the pool.
///
/// # Safety
/// As [`put_back`]. Does not raise.
pub(super) unsafe fn put_back(state: *mut lua_State, hold: *mut Hold, thread: c_int) {
    // SAFETY: as `pick`.
    unsafe {
        let place = (*hold).pooled + 1;
        if place <= POOL_LIMIT {
            ffi::lua_pushvalue(state, thread);
            ffi::lua_rawseti(state, POOL, place as ffi::lua_Integer);
            (*hold).pooled = place;
        }
    }
}

/// Whether nothing is ready, and the loop has not ended.
///
/// # Safety
/// As [`put_back`].
pub(super) unsafe fn is_idle(state: *mut lua_State) -> bool {
    // SAFETY: balanced.
    unsafe {
        ffi::lua_rawgeti(state, BOOKS, READY);
        let ready = ffi::lua_tointegerx(state, -1, std::ptr::null_mut());
        ffi::lua_settop(state, -2);
        ready == 0
    }
}

/// Makes a task the current one.
///
/// # Safety
/// As [`put_back`].
pub(super) unsafe fn set_current(state: *mut lua_State, thread: c_int) {
    // SAFETY: balanced; the field is there.
    unsafe {
        ffi::lua_pushvalue(state, thread);
        ffi::lua_rawseti(state, BOOKS, CURRENT);
    }
}

/// Resumes a task, which is the current one: one that waits with so many values from the top of the
/// stack, one that has not begun with what it was loaded with. Leaves the stack at `thread` and what
/// the outcome says.
///
/// # Safety
/// For functions of `bind` only, `thread` below the values. Raises at most for want of memory.
pub(super) unsafe fn go_on(state: *mut lua_State, thread: c_int, given: c_int) -> Outcome {
    // SAFETY: the task is told apart before it is touched. It runs protected; nothing of this library
    // is borrowed meanwhile.
    unsafe {
        let task = ffi::lua_tothread(state, thread);
        let arguments = match ffi::lua_status(task) {
            ffi::LUA_YIELD => {
                if ffi::lua_checkstack(task, given) == 0 {
                    return refuse(state, thread, c"not enough memory");
                }
                ffi::lua_xmove(state, task, given);
                given
            }
            ffi::LUA_OK if ffi::lua_gettop(task) > 0 => ffi::lua_gettop(task) - 1,
            _ => return refuse(state, thread, c"cannot resume dead coroutine"),
        };
        let mut results = 0;
        let status = ffi::lua_resume(task, state, arguments, &mut results);
        ffi::lua_settop(state, thread);
        match status {
            ffi::LUA_OK => {
                ffi::lua_settop(task, 0);
                return retire(state, thread);
            }
            ffi::LUA_YIELD if results == 0 => {
                ffi::lua_pushboolean(state, 1);
                ffi::lua_pushnil(state);
            }
            ffi::LUA_YIELD => {
                ffi::lua_settop(task, -results); // the first of them
                if ffi::lua_topointer(task, -1) == ffi::lua_topointer(state, BOOKS) {
                    ffi::lua_settop(task, -2);
                    forget_current(state);
                    return Outcome::Usual;
                }
                ffi::lua_pushboolean(state, 1);
                ffi::lua_xmove(task, state, 1);
            }
            _ => {
                ffi::lua_pushboolean(state, 0);
                ffi::lua_xmove(task, state, 1);
            }
        }
        Outcome::Look
    }
}

/// A task cannot be resumed.
///
/// # Safety
/// As [`go_on`].
pub(super) unsafe fn refuse(state: *mut lua_State, thread: c_int, why: &CStr) -> Outcome {
    // SAFETY: two places that the values have left free.
    unsafe {
        ffi::lua_settop(state, thread);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_pushstring(state, why.as_ptr());
    }
    Outcome::Look
}

/// A task has returned: it has no state any more, and its coroutine is for the next one.
///
/// # Safety
/// As [`put_back`].
unsafe fn retire(state: *mut lua_State, thread: c_int) -> Outcome {
    // SAFETY: balanced; only fields that are there are set.
    unsafe {
        ffi::lua_pushvalue(state, thread);
        ffi::lua_pushnil(state);
        ffi::lua_rawset(state, STATES);
        ffi::lua_pushvalue(state, thread);
        ffi::lua_rawget(state, TRACES);
        if ffi::lua_isnil(state, -1) == 0 {
            // Only then: to set a field to nil that is not there may want memory.
            ffi::lua_pushvalue(state, thread);
            ffi::lua_pushnil(state);
            ffi::lua_rawset(state, TRACES);
        }
        ffi::lua_settop(state, thread);
        put_back(state, hold(state), thread);
        ffi::lua_pushboolean(state, 1);
        ffi::lua_rawgeti(state, BOOKS, RETURNED);
        if ffi::lua_toboolean(state, -1) != 0 {
            return Outcome::Look;
        }
        ffi::lua_settop(state, thread);
        forget_current(state);
        Outcome::Usual
    }
}

/// # Safety
/// As [`put_back`].
unsafe fn forget_current(state: *mut lua_State) {
    // SAFETY: balanced; the field is there.
    unsafe {
        ffi::lua_pushboolean(state, 0);
        ffi::lua_rawseti(state, BOOKS, CURRENT);
    }
}
