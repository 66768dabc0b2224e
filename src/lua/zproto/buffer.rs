//! Bytes in and out: Lua strings, and the buffers that `raw` calls return.
//!
//! A buffer is a userdata that holds its bytes and never changes, so that it stays valid whatever
//! runs between the calls that hand it on.

use std::ffi::{c_char, c_int};
use std::{mem, ptr, slice};

use mlua::ffi;

use super::raise::{raise, type_name};
use super::upvalue;

/// What a buffer starts with: the number of bytes behind it.
type Header = usize;

/// Whether the value at `index` is a userdata with the metatable in this upvalue.
///
/// # Safety
///
/// Only from a function with the upvalues of this module.
pub(super) unsafe fn is(l: *mut ffi::lua_State, index: c_int, metatable: c_int) -> bool {
    // SAFETY: two slots are used and given back.
    unsafe {
        if ffi::lua_type(l, index) != ffi::LUA_TUSERDATA || ffi::lua_getmetatable(l, index) == 0 {
            return false;
        }
        let same = ffi::lua_rawequal(l, -1, ffi::lua_upvalueindex(metatable)) != 0;
        ffi::lua_settop(l, -2);
        same
    }
}

/// The bytes of the string at `index`, or of the buffer there with its size behind it, and the
/// index of the argument after them. Raises for anything else.
///
/// # Safety
///
/// Only from a function with the upvalues of this module; the bytes live as long as the argument
/// stays where it is.
pub(super) unsafe fn input<'a>(
    l: *mut ffi::lua_State,
    function: &str,
    index: c_int,
) -> (&'a [u8], c_int) {
    // SAFETY: a string gives a pointer to that many bytes; a buffer was made by `give`.
    unsafe {
        let kind = ffi::lua_type(l, index);
        if kind == ffi::LUA_TSTRING {
            return (string(l, index), index + 1);
        }
        if !is(l, index, upvalue::BUFFER) {
            let got = type_name(kind);
            raise(l, 1, format_args!("zproto.{function}: string or buffer expected, got {got}"));
        }
        let bytes = bytes(l, index);
        let mut whole = 0;
        let size = ffi::lua_tointegerx(l, index + 1, &mut whole);
        if whole == 0 || usize::try_from(size) != Ok(bytes.len()) {
            let len = bytes.len();
            raise(
                l,
                1,
                format_args!("zproto.{function}: the size of the buffer expected, which is {len}"),
            );
        }
        (bytes, index + 2)
    }
}

/// The bytes of the string at `index`.
///
/// # Safety
///
/// There must be a string; the bytes live as long as it stays there.
pub(super) unsafe fn string<'a>(l: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: a string gives a pointer to that many bytes, never null.
    unsafe {
        let mut len = 0;
        let data = ffi::lua_tolstring(l, index, &mut len);
        slice::from_raw_parts(data.cast(), len)
    }
}

/// Pushes `bytes`, as a string or as a buffer and its size, and returns how many values that is.
///
/// # Safety
///
/// Only from a function with the upvalues of this module.
pub(super) unsafe fn give(l: *mut ffi::lua_State, bytes: &[u8], raw: bool) -> c_int {
    // SAFETY: the userdata has room for the header and all the bytes.
    unsafe {
        if !raw {
            ffi::lua_pushlstring(l, bytes.as_ptr().cast::<c_char>(), bytes.len());
            return 1;
        }
        let header = mem::size_of::<Header>();
        let block = ffi::lua_newuserdata(l, header + bytes.len()).cast::<u8>();
        ptr::write(block.cast::<Header>(), bytes.len());
        ptr::copy_nonoverlapping(bytes.as_ptr(), block.add(header), bytes.len());
        ffi::lua_pushvalue(l, ffi::lua_upvalueindex(upvalue::BUFFER));
        ffi::lua_setmetatable(l, -2);
        ffi::lua_pushinteger(l, bytes.len() as ffi::lua_Integer);
        2
    }
}

/// `#buffer`
pub(super) unsafe extern "C-unwind" fn len(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the type is checked before the bytes are looked at.
    unsafe {
        let len = if is(l, 1, upvalue::BUFFER) { bytes(l, 1).len() } else { 0 };
        ffi::lua_pushinteger(l, len as ffi::lua_Integer);
        1
    }
}

/// The bytes of the buffer at `index`.
///
/// # Safety
///
/// There must be a buffer; the bytes live as long as it stays there.
unsafe fn bytes<'a>(l: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: `give` wrote the length and then that many bytes.
    unsafe {
        let block = ffi::lua_touserdata(l, index).cast::<u8>();
        let len = ptr::read(block.cast::<Header>());
        slice::from_raw_parts(block.add(mem::size_of::<Header>()), len)
    }
}
