//! What runs for every message, through the raw C interface: `call`, `send`, `respond` and the
//! trace ids, which mlua's safe conversions would cut.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use crate::cluster::{Ask, Kind, Message, Submitted};
use crate::node::Node;
use crate::registry::Id;

use super::raw::{Function, bytes, hold, integer, push_text};
use super::{slot, trace};

/// What this file adds to the native table.
pub(super) const FUNCTIONS: [Function; 6] = [
    (c"call", call),
    (c"send", send),
    (c"respond", respond),
    (c"trace_spawn", trace_spawn),
    (c"trace_propagate", trace_propagate),
    (c"trace_text", trace_text),
];

/// Whether this file sees to it that only a task waits; elsewhere Lua looks before it calls.
pub(super) const SEES_TASKS: bool =
    cfg!(any(feature = "lua51", feature = "lua53", feature = "lua54", feature = "lua55"));

/// What this file adds to the native table where Lua itself cannot tell.
#[cfg(feature = "lua51")]
pub(super) const FUNCTIONS_51: [Function; 1] = [(c"may_wait", may_wait_51)];

/// `may_wait()`: whether the running coroutine may; 5.1 has no `coroutine.isyieldable`.
#[cfg(feature = "lua51")]
unsafe extern "C-unwind" fn may_wait_51(state: *mut lua_State) -> c_int {
    // SAFETY: one push.
    unsafe { ffi::lua_pushboolean(state, c_int::from(is_yieldable(state))) };
    1
}

/// Whether no C function but the running one is on the stack. Those that metamethods and iterators of
/// 5.1 are called through cannot be seen: a wait in there fails in the yield.
///
/// # Safety
/// `state` is valid, and runs a C function. Never raises.
#[cfg(feature = "lua51")]
unsafe fn is_yieldable(state: *mut lua_State) -> bool {
    // SAFETY: a frame is asked about as soon as it has been found.
    unsafe {
        let mut frame = std::mem::zeroed::<ffi::lua_Debug>();
        let mut level = 1;
        while ffi::lua_getstack(state, level, &mut frame) != 0 {
            ffi::lua_getinfo(state, c"S".as_ptr(), &mut frame);
            if std::ffi::CStr::from_ptr(frame.what) == c"C" {
                return false;
            }
            level += 1;
        }
        true
    }
}

/// Whether the running coroutine may wait.
///
/// # Safety
/// `state` is valid. Never raises.
#[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
unsafe fn is_yieldable(state: *mut lua_State) -> bool {
    // SAFETY: looks only.
    unsafe { ffi::lua_isyieldable(state) != 0 }
}

/// Whether the running coroutine is the task at `index`, and may wait.
///
/// # Safety
/// `state` is valid, `index` an argument. Never raises.
unsafe fn may_wait(state: *mut lua_State, index: c_int) -> bool {
    #[cfg(not(any(feature = "lua52", feature = "luajit")))]
    // SAFETY: as the caller promises.
    unsafe {
        ffi::lua_tothread(state, index) == state && is_yieldable(state)
    }
    #[cfg(any(feature = "lua52", feature = "luajit"))]
    {
        let _ = (state, index);
        true
    }
}

/// `call(peer, cmd, trace, data, timeout, in_handler, task)`: the slot to wait on; nil and the reason;
/// false, and 1 if `cmd` is no integer, 2 if `data` is no string, as marshal returns them; nothing when
/// the task cannot wait here.
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: see `submit`.
    unsafe { submit(state, Kind::Call) }
}

/// `send(...)`: true, or as `call`.
unsafe extern "C-unwind" fn send(state: *mut lua_State) -> c_int {
    // SAFETY: see `submit`.
    unsafe { submit(state, Kind::Send) }
}

/// # Safety
/// For functions of `install` only.
unsafe fn submit(state: *mut lua_State, kind: Kind) -> c_int {
    // SAFETY: the data is on the stack until this returns, the node's borrow ends before anything
    // that may raise, and the reason is pushed from where it is kept.
    unsafe {
        let Some(cmd) = integer(state, 2) else {
            return misfit(state, 1);
        };
        let Some(data) = bytes(state, 4) else {
            return misfit(state, 2);
        };
        if !may_wait(state, 7) {
            return 0;
        }
        let peer = Id::from_bits(integer(state, 1).unwrap_or(0) as u64);
        let timeout = integer(state, 5).unwrap_or(0).max(0) as u64;
        let in_handler = ffi::lua_toboolean(state, 6) != 0;
        let id = trace::read(state, 3);
        let hold = hold(state);
        let submitted = match hold.node.try_borrow_mut() {
            Ok(mut node) => {
                let Node { rooms, reactor, tracer, .. } = &mut *node;
                let message = Message { cmd: cmd as u32, trace: tracer.propagate(id), data };
                rooms.cluster.submit(reactor, Ask { kind, peer, in_handler, timeout }, &message)
            }
            Err(_) => Submitted::Refused("the loop is busy".to_owned().into()),
        };
        match submitted {
            Submitted::Sent => {
                ffi::lua_pushboolean(state, 1);
                1
            }
            Submitted::Waiting(request) => {
                ffi::lua_pushinteger(state, slot(request) as ffi::lua_Integer);
                1
            }
            Submitted::Refused(why) => {
                hold.text.clear();
                hold.text.push_str(why.as_str());
                drop(why);
                ffi::lua_pushnil(state);
                push_text(state, hold);
                2
            }
        }
    }
}

/// What marshal has returned is not what it must be.
///
/// # Safety
/// `state` is valid. Never raises.
unsafe fn misfit(state: *mut lua_State, which: ffi::lua_Integer) -> c_int {
    // SAFETY: two pushes.
    unsafe {
        ffi::lua_pushboolean(state, 0);
        ffi::lua_pushinteger(state, which);
    }
    2
}

/// `respond(fd, session, data or nil)`: true, and the request is over; or nil and why the answer cannot
/// be sent, and it is not. No reason: the data is no string.
unsafe extern "C-unwind" fn respond(state: *mut lua_State) -> c_int {
    // SAFETY: as `submit`.
    unsafe {
        let link = Id::from_bits(integer(state, 1).unwrap_or(0) as u64);
        let session = integer(state, 2).unwrap_or(0) as u32;
        let answer = bytes(state, 3);
        if answer.is_none() && ffi::lua_isnoneornil(state, 3) == 0 {
            ffi::lua_pushnil(state);
            return 1;
        }
        let hold = hold(state);
        let refused = match hold.node.try_borrow_mut() {
            Ok(mut node) => {
                let Node { rooms, reactor, .. } = &mut *node;
                rooms.cluster.respond(reactor, link, session, answer).err()
            }
            Err(_) => None,
        };
        match refused {
            None => {
                ffi::lua_pushboolean(state, 1);
                1
            }
            Some(too_large) => {
                hold.text.clear();
                hold.text.push_str(&too_large.to_string());
                ffi::lua_pushnil(state);
                push_text(state, hold);
                2
            }
        }
    }
}

/// `trace_spawn()`: a new trace id.
unsafe extern "C-unwind" fn trace_spawn(state: *mut lua_State) -> c_int {
    // SAFETY: the borrow ends before the push.
    unsafe {
        let id = match hold(state).node.try_borrow_mut() {
            Ok(mut node) => node.tracer.spawn(crate::lua::time::unix_seconds()),
            Err(_) => 0,
        };
        trace::push(state, id);
    }
    1
}

/// `trace_propagate(id)`: the id as the next node is to see it.
unsafe extern "C-unwind" fn trace_propagate(state: *mut lua_State) -> c_int {
    // SAFETY: the borrow ends before the push.
    unsafe {
        let id = trace::read(state, 1);
        let id = match hold(state).node.try_borrow() {
            Ok(node) => node.tracer.propagate(id),
            Err(_) => id,
        };
        trace::push(state, id);
    }
    1
}

/// `trace_text(id)`: 16 hexadecimal digits.
unsafe extern "C-unwind" fn trace_text(state: *mut lua_State) -> c_int {
    // SAFETY: the digits stay until this returns. They are not the hold's text, because a finaliser
    // that logs may run while that is handed over.
    unsafe {
        let digits = trace::digits(trace::read(state, 1));
        ffi::lua_pushlstring(state, digits.as_ptr().cast(), digits.len());
    }
    1
}
