//! What the raw functions stand on: what they share, and how they read and raise.
//!
//! Their rule: a function borrows the node, does its work and lets the borrow go, and only then
//! touches Lua in ways that may raise, holding nothing that has a destructor. A raise is a longjmp
//! over these frames.

use std::ffi::{CStr, c_int};
use std::rc::Rc;

use bytes::BytesMut;
use mlua::ffi::{self, lua_State};
use mlua::{Lua, Result, Table};

use crate::reactor::event::Event;

use super::Shared;

/// A raw function and its name in the native table. Only Lua calls it: with a valid state, the
/// free places on the stack that every C function has, and the upvalue that `install` gave it.
pub(super) type Function = (&'static CStr, unsafe extern "C-unwind" fn(*mut lua_State) -> c_int);

/// What the functions below find in their upvalue.
pub(super) struct Hold {
    pub(super) node: Shared,
    /// The event being handed over: its strings must outlive the call that pushes them.
    pub(super) current: Option<Event>,
    /// True from the first to the last push of it; still true afterwards when one has raised.
    pub(super) pushing: bool,
    /// The same for text that is made on the way. Written only by functions that no finaliser can
    /// get at: those that need a task which may wait, and the loop's own.
    pub(super) text: String,
    /// And for bytes lent by a stream.
    pub(super) bytes: BytesMut,
    /// How many coroutines are in the pool of `tasks`.
    pub(super) pooled: usize,
}

/// Adds functions to the native table, all with one hold as their upvalue.
pub(super) fn register(
    lua: &Lua,
    core: &Table,
    node: &Shared,
    functions: &[Function],
) -> Result<()> {
    let hold = Box::new(Hold {
        node: Rc::clone(node),
        current: None,
        pushing: false,
        text: String::new(),
        bytes: BytesMut::new(),
        pooled: 0,
    });
    // SAFETY: runs protected, with the table as the only argument; the box is handed to a
    // userdata whose finaliser frees it. Should the allocation of that userdata raise, the box
    // leaks, once, in a state that could not even load the module.
    unsafe { lua.exec_raw::<()>(core, |state| install(state, Box::into_raw(hold), functions)) }
}

/// # Safety
/// The native table is on top of the stack.
unsafe fn install(state: *mut lua_State, hold: *mut Hold, functions: &[Function]) {
    // SAFETY: stack use is balanced: the userdata, its metatable, one closure at a time.
    unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<*mut Hold>()).cast::<*mut Hold>();
        *place = hold;
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushcclosure(state, finalise, 0);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(state, -2);
        for (name, function) in functions {
            ffi::lua_pushvalue(state, -1);
            ffi::lua_pushcclosure(state, *function, 1);
            ffi::lua_setfield(state, -3, name.as_ptr());
        }
        ffi::lua_pop(state, 2);
    }
}

unsafe extern "C-unwind" fn finalise(state: *mut lua_State) -> c_int {
    // SAFETY: argument 1 of this finaliser is the userdata that `install` made; the pointer is
    // cleared, so a second call finds nothing.
    unsafe {
        let place = ffi::lua_touserdata(state, 1).cast::<*mut Hold>();
        if !place.is_null() {
            let hold = std::mem::replace(&mut *place, std::ptr::null_mut());
            if !hold.is_null() {
                drop(Box::from_raw(hold));
            }
        }
    }
    0
}

/// The function's hold; raises when the state is closing and it is gone.
///
/// # Safety
/// Only for functions that `install` made: their upvalue 1 is the userdata. The reference must
/// not be used across anything that may run Lua code.
pub(super) unsafe fn hold<'a>(state: *mut lua_State) -> &'a mut Hold {
    // SAFETY: as promised above; the state is single-threaded, and no other reference lives,
    // since each function lets its own go before Lua runs again.
    unsafe {
        let place = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<*mut Hold>();
        match (*place).as_mut() {
            Some(hold) => hold,
            None => raise(state, 1, c"silly: this Lua state is closing"),
        }
    }
}

/// Raises a message with the position of the caller at `level`.
///
/// # Safety
/// Never returns; the caller holds nothing with a destructor.
pub(super) unsafe fn raise(state: *mut lua_State, level: c_int, message: &CStr) -> ! {
    // SAFETY: a position, a text, one string of both.
    unsafe {
        ffi::luaL_where(state, level);
        ffi::lua_pushstring(state, message.as_ptr());
        ffi::lua_concat(state, 2);
        ffi::lua_error(state)
    }
}

/// A string argument's bytes. They stay while the argument is on the stack.
///
/// # Safety
/// The reference must not outlive the function call.
pub(super) unsafe fn bytes<'a>(state: *mut lua_State, index: c_int) -> Option<&'a [u8]> {
    // SAFETY: for a string, lua_tolstring converts nothing and cannot raise.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TSTRING {
            return None;
        }
        let mut len = 0;
        let text = ffi::lua_tolstring(state, index, &mut len);
        Some(std::slice::from_raw_parts(text.cast::<u8>(), len))
    }
}

/// # Safety
/// For functions of `install` only.
pub(super) unsafe fn integer(state: *mut lua_State, index: c_int) -> Option<i64> {
    let mut is_integer = 0;
    // SAFETY: converts without raising.
    let value = unsafe { ffi::lua_tointegerx(state, index, &mut is_integer) };
    (is_integer != 0).then_some(value as i64)
}

/// The longest reason that Lua is told; a name of full length fits several times.
const REASON_LIMIT: usize = 1024;

/// Pushes a copy of the hold's text: on 5.1 and LuaJIT a finaliser may run before Lua has taken
/// its own, and what it calls may write another text.
///
/// # Safety
/// For functions of `install` only, with their own hold. May raise; owns nothing.
pub(super) unsafe fn push_text(state: *mut lua_State, hold: *const Hold) {
    let mut copy = [0u8; REASON_LIMIT];
    // SAFETY: the hold is there as long as its functions; the reference is gone before a finaliser
    // may run, and the copy stays until this returns.
    unsafe {
        let text = &(*hold).text;
        let len = text.len().min(REASON_LIMIT);
        for (place, byte) in copy.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        ffi::lua_pushlstring(state, copy.as_ptr().cast(), len);
    }
}
