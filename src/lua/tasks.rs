//! Tasks as native code sees them: coroutines that are loaded with a function, resumed, and taken back
//! into the pool once that has returned, with the tables that scheduler.lua keeps.
//!
//! A finished coroutine takes another function through the C interface, though not through Lua's own
//! `coroutine.resume`. So a task's function is the first on its stack, and what a task costs in memory
//! is mostly its own.

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

use mlua::ffi::{self, lua_State};

use super::raw::{Hold, hold};

/// How many finished coroutines are kept for the next tasks.
pub(super) const POOL_LIMIT: usize = 1024;

/// The upvalues of what `events::bind` makes, behind the hold: who waits for the events of each kind, by slot
/// (and for requests what `resume::begin` names); the tasks' states; the scheduler's books; its pool;
/// the trace ids of tasks that have one; the file that scripts print to, or nil.
pub(super) const WAITS: c_int = ffi::lua_upvalueindex(2);
pub(super) const STATES: c_int = ffi::lua_upvalueindex(3);
pub(super) const BOOKS: c_int = ffi::lua_upvalueindex(4);
const POOL: c_int = ffi::lua_upvalueindex(5);
const TRACES: c_int = ffi::lua_upvalueindex(6);
pub(super) const OUTPUT: c_int = ffi::lua_upvalueindex(7);
pub(super) const BOUND: c_int = 6;

/// In the books: how many tasks are ready; the current task, or false; what to tell Lua of a task that
/// has returned, false when it does not want to know; the state of one that runs, a text that Lua then
/// need not look up; and the tables of what tasks owe. The books themselves are what a task yields to
/// wait.
const READY: ffi::lua_Integer = 1;
const CURRENT: ffi::lua_Integer = 2;
const RETURNED: ffi::lua_Integer = 3;
pub(super) const RUN: ffi::lua_Integer = 4;
#[cfg(feature = "lua55")]
const DEBTS: ffi::lua_Integer = 5;

/// What a resumed task has come to.
pub(super) enum Outcome {
    /// It waits as usual, or has ended and nobody wants to know.
    Usual,
    /// Lua has to see to it: whether it went well, and what it yielded or failed with, are on top of
    /// the stack.
    Look,
}

/// `obtain(fn)`: a coroutine that is to call a function, and whether it is a new one.
pub(super) unsafe extern "C-unwind" fn obtain(state: *mut lua_State) -> c_int {
    // SAFETY: a coroutine that holds nothing has room for a value. May raise; nothing is owned.
    unsafe {
        ffi::lua_settop(state, 1);
        let pooled = pick(state, hold(state));
        ffi::lua_insert(state, 1);
        ffi::lua_xmove(state, ffi::lua_tothread(state, 1), 1);
        ffi::lua_pushboolean(state, c_int::from(!pooled));
    }
    2
}

/// `retire(thread)`: a task has returned, and whoever wanted to know has been told. It has no state any
/// more, and its coroutine is for the next one.
pub(super) unsafe extern "C-unwind" fn retire(state: *mut lua_State) -> c_int {
    // SAFETY: the thread is the argument.
    unsafe { release(state, 1) };
    0
}

/// `resume(thread, ...)`: goes on with the current task, with what its yield is to return or its function
/// to get. Nothing when Lua need not see to it, else what [`Outcome::Look`] says.
pub(super) unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
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
/// For functions of `events::bind` only, with their hold. May raise and run finalisers for want of a pooled one;
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

/// Whether nothing is ready, and the loop has not ended.
///
/// # Safety
/// For functions of `events::bind` only. Does not raise.
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
/// As [`is_idle`].
pub(super) unsafe fn set_current(state: *mut lua_State, thread: c_int) {
    // SAFETY: balanced; the field is there.
    unsafe {
        ffi::lua_pushvalue(state, thread);
        ffi::lua_rawseti(state, BOOKS, CURRENT);
    }
}

/// Starts a task, the current one, on a coroutine that is finished or new: with so many values from the
/// top of the stack, of which the first is its function. Leaves the stack at `thread` and what the
/// outcome says.
///
/// # Safety
/// For functions of `events::bind` only, `thread` below the values. Raises at most for want of memory.
pub(super) unsafe fn start(state: *mut lua_State, thread: c_int, given: c_int) -> Outcome {
    // SAFETY: the task does not run, and has room for the values.
    unsafe {
        let task = ffi::lua_tothread(state, thread);
        if ffi::lua_checkstack(task, given) == 0 {
            return refuse(state, thread, c"not enough memory");
        }
        ffi::lua_xmove(state, task, given);
        run(state, thread, task, given - 1)
    }
}

/// Goes on with a task, the current one, with so many values from the top of the stack: with one that
/// waits, or one that `obtain` has given its function.
///
/// # Safety
/// As [`start`].
pub(super) unsafe fn go_on(state: *mut lua_State, thread: c_int, given: c_int) -> Outcome {
    // SAFETY: the task is told apart before it is touched.
    unsafe {
        let task = ffi::lua_tothread(state, thread);
        let mut frame = MaybeUninit::uninit();
        let why = match ffi::lua_status(task) {
            ffi::LUA_YIELD => None,
            ffi::LUA_OK if ffi::lua_getstack(task, 0, frame.as_mut_ptr()) != 0 => {
                Some(c"cannot resume non-suspended coroutine")
            }
            ffi::LUA_OK if ffi::lua_gettop(task) == 1 => None,
            // The script has resumed or closed it by itself.
            _ => Some(c"cannot resume dead coroutine"),
        };
        if let Some(why) = why {
            return refuse(state, thread, why);
        } else if ffi::lua_checkstack(task, given) == 0 {
            return refuse(state, thread, c"not enough memory");
        }
        ffi::lua_xmove(state, task, given);
        run(state, thread, task, given)
    }
}

/// Runs a task that has so many arguments, or results of its yield, on top of its stack.
///
/// # Safety
/// As [`start`]; the task is the one at `thread`, and waits or has not begun.
unsafe fn run(
    state: *mut lua_State,
    thread: c_int,
    task: *mut lua_State,
    arguments: c_int,
) -> Outcome {
    // SAFETY: it runs protected; nothing of this library is borrowed meanwhile.
    unsafe {
        let mut results = 0;
        let status = ffi::lua_resume(task, state, arguments, &mut results);
        ffi::lua_settop(state, thread);
        match status {
            ffi::LUA_OK => {
                ffi::lua_settop(task, 0);
                return end(state, thread);
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
/// As [`start`].
unsafe fn refuse(state: *mut lua_State, thread: c_int, why: &CStr) -> Outcome {
    // SAFETY: two places that the values have left free.
    unsafe {
        ffi::lua_settop(state, thread);
        ffi::lua_pushboolean(state, 0);
        ffi::lua_pushstring(state, why.as_ptr());
    }
    Outcome::Look
}

/// A task has returned.
///
/// # Safety
/// As [`is_idle`].
unsafe fn end(state: *mut lua_State, thread: c_int) -> Outcome {
    // SAFETY: balanced.
    unsafe {
        #[cfg(feature = "lua55")]
        if owes_something(state, thread) {
            return Outcome::Look;
        }
        ffi::lua_pushboolean(state, 1);
        ffi::lua_rawgeti(state, BOOKS, RETURNED);
        if ffi::lua_toboolean(state, -1) != 0 {
            return Outcome::Look;
        }
        release(state, thread);
        ffi::lua_settop(state, thread);
        forget_current(state);
        Outcome::Usual
    }
}

/// From 5.5 on a coroutine can close itself, which looks as if its function had returned; but one that
/// has returned has done what it owed. Leaves true and the tables of debts on the stack if so.
///
/// # Safety
/// As [`is_idle`].
#[cfg(feature = "lua55")]
unsafe fn owes_something(state: *mut lua_State, thread: c_int) -> bool {
    // SAFETY: balanced but for what is returned.
    unsafe {
        ffi::lua_pushboolean(state, 1);
        ffi::lua_rawgeti(state, BOOKS, DEBTS);
        let debts = ffi::lua_gettop(state);
        let mut place = 1;
        while ffi::lua_rawgeti(state, debts, place) == ffi::LUA_TTABLE {
            ffi::lua_pushvalue(state, thread);
            let owes = ffi::lua_rawget(state, -2) != ffi::LUA_TNIL;
            ffi::lua_settop(state, debts);
            if owes {
                return true;
            }
            place += 1;
        }
        ffi::lua_settop(state, thread);
        false
    }
}

/// Takes a task's state away, and puts its coroutine into the pool if it can take another function.
///
/// # Safety
/// As [`is_idle`].
unsafe fn release(state: *mut lua_State, thread: c_int) {
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
        ffi::lua_settop(state, -2);
        let task = ffi::lua_tothread(state, thread);
        let hold = hold(state);
        if hold.pooled < POOL_LIMIT && ffi::lua_status(task) == ffi::LUA_OK {
            hold.pooled += 1;
            ffi::lua_pushvalue(state, thread);
            ffi::lua_rawseti(state, POOL, hold.pooled as ffi::lua_Integer);
        }
    }
}

/// # Safety
/// As [`is_idle`].
unsafe fn forget_current(state: *mut lua_State) {
    // SAFETY: balanced; the field is there.
    unsafe {
        ffi::lua_pushboolean(state, 0);
        ffi::lua_rawseti(state, BOOKS, CURRENT);
    }
}
