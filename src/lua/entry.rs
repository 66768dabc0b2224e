//! What an interpreter calls to load the library.

use std::ffi::c_int;

use mlua::ffi;
use mlua::{Lua, require_module_feature};

require_module_feature!();

/// `require "silly.core"`.
///
/// A library for another Lua may load: 5.5 has all the functions that one for 5.4 asks for. That raises
/// here, before anything is looked for where this Lua does not keep it.
///
/// Memory checks are skipped: an allocation that fails while a value is handed over raises through
/// frames that own nothing.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn luaopen_silly_core(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Lua calls this with a state of its own; the check raises through no frame but this one and
    // its own, which own nothing.
    unsafe {
        check_version(state);
        Lua::entrypoint1(state, |lua| {
            lua.skip_memory_check(true);
            super::open(lua)
        })
    }
}

/// Nothing to do: these lack what later ones have, and have what those lack, so the loader refuses.
#[cfg(any(feature = "lua51", feature = "luajit"))]
unsafe fn check_version(_: *mut ffi::lua_State) {}

#[cfg(feature = "lua52")]
unsafe fn check_version(state: *mut ffi::lua_State) {
    // SAFETY: as of the caller.
    unsafe { ffi::luaL_checkversion_(state, 502.0) };
}

#[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
unsafe fn check_version(state: *mut ffi::lua_State) {
    const VERSION: ffi::lua_Number = if cfg!(feature = "lua53") {
        503.0
    } else if cfg!(feature = "lua54") {
        504.0
    } else {
        505.0
    };
    const SIZES: usize = size_of::<ffi::lua_Integer>() * 16 + size_of::<ffi::lua_Number>();
    // SAFETY: as of the caller.
    unsafe { ffi::luaL_checkversion_(state, VERSION, SIZES) };
}
