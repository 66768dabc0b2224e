//! Handing over what turns brought: `next`, through the raw C interface, bound to the scheduler's tables
//! along with what `tasks` has for it.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use super::parcel::{self, Parcel};
use super::raw::{Function, Hold, hold};
use super::resume::{self, Course};
use super::tasks::{self, BOUND, OUTPUT};
use super::{output, turns};

/// What this file adds to the native table.
pub(super) const FUNCTIONS: [Function; 1] = [(c"bind", bind)];

/// `bind(waits, states, books, pool, traces, output)`: the functions `next`, `resume`, `obtain` and
/// `retire`.
unsafe extern "C-unwind" fn bind(state: *mut lua_State) -> c_int {
    // SAFETY: closures of the hold, upvalue 1 of this function, and the arguments. May raise; nothing
    // is owned.
    unsafe {
        ffi::lua_settop(state, BOUND);
        if !output::is_file(state, BOUND) {
            ffi::lua_pushnil(state);
            ffi::lua_replace(state, BOUND);
        }
        for function in [next, tasks::resume, tasks::obtain, tasks::retire] {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
            for index in 1..=BOUND {
                ffi::lua_pushvalue(state, index);
            }
            ffi::lua_pushcclosure(state, function, 1 + BOUND);
        }
    }
    4
}

/// `next(onward)`: the next event's kind and parts, or nil when there is none left. Those whose task is
/// known go to it at once, see `resume`, and are not returned. With `onward` it takes turns of the loop
/// for as long as they bring such events only, and Lua has nothing else to do.
pub(super) unsafe extern "C-unwind" fn next(state: *mut lua_State) -> c_int {
    // SAFETY: the parcel owns nothing, and no borrow is alive while values are pushed or tasks run.
    unsafe {
        let hold: *mut Hold = hold(state);
        ffi::lua_settop(state, resume::BASE);
        loop {
            let Some(event) = unpack(&mut *hold) else {
                if goes_onward(state) {
                    output::flush(state, OUTPUT);
                    if turns::go_round(&*hold) {
                        continue;
                    }
                }
                ffi::lua_pushnil(state);
                return 1;
            };
            (*hold).pushing = true;
            let course = match event.kind {
                parcel::REPLY
                | parcel::DONE
                | parcel::FAILED
                | parcel::AWAKE
                | parcel::STREAM_READY
                | parcel::STREAM_DIALED => resume::wake(state, hold, &event),
                parcel::REQUEST => resume::begin(state, hold, &event),
                _ => Course::Script,
            };
            let (kind, parts) = match course {
                Course::Next => continue,
                Course::Ready => (parcel::READY, 0),
                Course::Look => (parcel::LOOK, 3),
                Course::Script => {
                    ffi::lua_pushinteger(state, event.kind as ffi::lua_Integer);
                    let parts = event.push(state, 0);
                    (*hold).pushing = false;
                    return 1 + parts;
                }
            };
            ffi::lua_pushinteger(state, kind as ffi::lua_Integer);
            ffi::lua_insert(state, -1 - parts);
            return 1 + parts;
        }
    }
}

/// Whether `next` may take a turn itself. Not while there is a hook, which would never be called: a
/// host's Ctrl-C is one.
///
/// # Safety
/// For `next` only.
unsafe fn goes_onward(state: *mut lua_State) -> bool {
    // SAFETY: looks only.
    unsafe {
        ffi::lua_toboolean(state, 1) != 0
            && ffi::lua_isnil(state, OUTPUT) == 0
            && ffi::lua_gethookmask(state) == 0
            && tasks::is_idle(state)
    }
}

/// Takes the next event and lays it out. What is left of one that Lua had no memory for comes first.
fn unpack(hold: &mut Hold) -> Option<Parcel> {
    let mut node = hold.node.try_borrow_mut().ok()?;
    let lost = hold.current.take().filter(|_| std::mem::take(&mut hold.pushing));
    let next = lost.and_then(|lost| node.lose(lost)).or_else(|| node.take())?;
    let event = hold.current.insert(next);
    Some(parcel::lay_out(event, &node, &mut hold.text))
}
