//! Raising Lua errors from functions that may own nothing.

use std::ffi::{c_char, c_int};
use std::fmt;
use std::io::Write;

use mlua::ffi;

/// A longer message is cut: there is no other error to raise.
const LIMIT: usize = 512;

/// Raises an error that names the place of the Lua code `level` calls up.
///
/// # Safety
///
/// `l` must be a valid state with three free slots, and no caller up to Lua may own anything.
#[cold]
pub(super) unsafe fn raise(l: *mut ffi::lua_State, level: c_int, text: fmt::Arguments<'_>) -> ! {
    // A `String` would leak: nobody comes back to free it.
    let mut message = [0; LIMIT];
    let mut room = message.as_mut_slice();
    let _ = room.write_fmt(text);
    let len = LIMIT - room.len();
    // SAFETY: as promised by the caller; `lua_pushlstring` copies.
    unsafe {
        ffi::luaL_where(l, level);
        ffi::lua_pushlstring(l, message.as_ptr().cast::<c_char>(), len);
        ffi::lua_concat(l, 2);
        ffi::lua_error(l)
    }
}

/// What `type` calls a value of this type.
pub(super) fn type_name(kind: c_int) -> &'static str {
    match kind {
        ffi::LUA_TNONE => "no value",
        ffi::LUA_TNIL => "nil",
        ffi::LUA_TBOOLEAN => "boolean",
        ffi::LUA_TLIGHTUSERDATA | ffi::LUA_TUSERDATA => "userdata",
        ffi::LUA_TNUMBER => "number",
        ffi::LUA_TSTRING => "string",
        ffi::LUA_TTABLE => "table",
        ffi::LUA_TFUNCTION => "function",
        ffi::LUA_TTHREAD => "thread",
        // LuaJIT's only other type.
        _ => "cdata",
    }
}
