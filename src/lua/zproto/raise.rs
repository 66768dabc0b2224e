//! Raising Lua errors from functions that may own nothing.

use std::ffi::{c_char, c_int};
use std::fmt::{self, Write};

use mlua::ffi;

/// Raises an error that names the place of the Lua code `level` calls up.
///
/// # Safety
///
/// `l` must be a valid state with three free slots, and no caller up to Lua may own anything.
#[cold]
pub(super) unsafe fn raise(l: *mut ffi::lua_State, level: c_int, text: fmt::Arguments<'_>) -> ! {
    // A `String` would leak: nobody comes back to free it.
    let mut message = Message { bytes: [0; 512], len: 0 };
    // Too long a message is cut, there is no other error.
    let _ = message.write_fmt(text);
    // SAFETY: as promised by the caller; `lua_pushlstring` copies.
    unsafe {
        ffi::luaL_where(l, level);
        ffi::lua_pushlstring(l, message.bytes.as_ptr().cast::<c_char>(), message.len);
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

struct Message {
    bytes: [u8; 512],
    len: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.len..];
        let taken = text.len().min(room.len());
        room[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.len += taken;
        if taken == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}
