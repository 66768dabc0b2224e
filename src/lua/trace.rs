//! Trace ids as Lua values: integers where Lua has 64-bit ones, and elsewhere, where numbers lose
//! bits beyond 2^53, strings of 16 hexadecimal digits. The absent id is 0 everywhere.

use std::ffi::c_int;

use mlua::ffi;

/// An id as 16 hexadecimal digits.
pub(super) fn digits(id: u64) -> [u8; 16] {
    let mut digits = [0u8; 16];
    for (place, digit) in digits.iter_mut().enumerate() {
        let nibble = (id >> (60 - 4 * place)) as u8 & 0xf;
        *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    }
    digits
}

/// Reads an id; anything else counts as none.
///
/// # Safety
/// `state` is a valid state and `index` a valid index of it. Never raises.
pub(super) unsafe fn read(state: *mut ffi::lua_State, index: c_int) -> u64 {
    // SAFETY: none of these raises on a valid index; a string's bytes stay while it is on the
    // stack, and are not kept.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TNUMBER => ffi::lua_tointegerx(state, index, std::ptr::null_mut()) as u64,
            ffi::LUA_TSTRING => {
                let mut len = 0;
                let text = ffi::lua_tolstring(state, index, &mut len);
                let digits = std::slice::from_raw_parts(text.cast::<u8>(), len);
                std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }
}

/// Pushes an id.
///
/// # Safety
/// `state` is valid and has a free place on its stack. May raise where a string has to be made;
/// owns nothing then.
#[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
pub(super) unsafe fn push(state: *mut ffi::lua_State, id: u64) {
    // SAFETY: as the caller promises.
    unsafe { ffi::lua_pushinteger(state, id as ffi::lua_Integer) }
}

/// Pushes an id.
///
/// # Safety
/// `state` is valid and has a free place on its stack. May raise; owns nothing then.
#[cfg(not(any(feature = "lua53", feature = "lua54", feature = "lua55")))]
pub(super) unsafe fn push(state: *mut ffi::lua_State, id: u64) {
    let digits = digits(id);
    // SAFETY: as the caller promises; the digits are copied.
    unsafe {
        if id == 0 {
            ffi::lua_pushinteger(state, 0);
        } else {
            ffi::lua_pushlstring(state, digits.as_ptr().cast(), digits.len());
        }
    }
}
