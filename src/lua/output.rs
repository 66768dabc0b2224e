//! What scripts have printed, and C's library holds back: handed to the system before the loop waits,
//! without a call into Lua for each turn.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

/// What Lua's io library keeps in the userdata of a file.
#[repr(C)]
struct Stream {
    file: *mut libc::FILE,
    /// None once it is closed; 5.1 and LuaJIT have no such field, and no `file` then.
    #[cfg(not(any(feature = "lua51", feature = "luajit")))]
    close: Option<ffi::lua_CFunction>,
}

impl Stream {
    fn is_open(&self) -> bool {
        #[cfg(not(any(feature = "lua51", feature = "luajit")))]
        let open = self.close.is_some();
        #[cfg(any(feature = "lua51", feature = "luajit"))]
        let open = true;
        open && !self.file.is_null()
    }
}

/// Whether the value at `index` is a file of Lua's io library.
///
/// # Safety
/// `state` is valid, with a few free places. May raise.
pub(super) unsafe fn is_file(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: as the caller promises; balanced.
    unsafe {
        if ffi::lua_touserdata(state, index).is_null() || ffi::lua_getmetatable(state, index) == 0 {
            return false;
        }
        ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, c"FILE*".as_ptr());
        let is_file = ffi::lua_rawequal(state, -1, -2) != 0;
        ffi::lua_settop(state, -3);
        is_file
    }
}

/// Flushes the file at `index`, unless a script has closed it.
///
/// # Safety
/// [`is_file`] has said yes to the value.
pub(super) unsafe fn flush(state: *mut lua_State, index: c_int) {
    // SAFETY: the userdata is a stream as above; an open one has a file.
    unsafe {
        let stream = ffi::lua_touserdata(state, index).cast::<Stream>();
        if let Some(stream) = stream.as_ref()
            && stream.is_open()
        {
            libc::fflush(stream.file);
        }
    }
}
