//! Lua values as the decoder builds them.

use std::ffi::c_int;

use mlua::ffi;

use crate::zproto::{Field, Malformed, Sink};

/// Slots of the Lua stack that one struct level may need: its table, a name, a table of elements,
/// an element, its key; and some more for good measure.
const SLOTS: c_int = 12;

/// Builds on the stack of one state.
pub(super) struct LuaSink {
    l: *mut ffi::lua_State,
    /// Where the table of field names is.
    names: c_int,
}

/// A sink on top of the stack, with the field names of the schema in the table at `names`.
///
/// # Safety
///
/// `names` must be absolute and stay what it is while the sink is used, and no caller up to the
/// next protected call may own anything: the sink raises an error when memory runs out.
pub(super) unsafe fn at(l: *mut ffi::lua_State, names: c_int) -> LuaSink {
    LuaSink { l, names }
}

/// A size for `lua_createtable`. The decoder keeps sizes below the length of its input.
fn hint(size: usize) -> c_int {
    c_int::try_from(size).unwrap_or(0)
}

// SAFETY of all the blocks below: `at` was promised a valid state, each struct level has made room
// for the slots it uses, and the decoder stores only what it has pushed.
#[expect(clippy::undocumented_unsafe_blocks, reason = "said above for all of them")]
impl Sink for LuaSink {
    #[inline]
    fn open_struct(&mut self, fields: usize) -> Result<(), Malformed> {
        unsafe {
            if ffi::lua_checkstack(self.l, SLOTS) == 0 {
                return Err(Malformed);
            }
            ffi::lua_createtable(self.l, 0, hint(fields));
        }
        Ok(())
    }

    #[inline]
    fn open_array(&mut self, elements: usize) {
        unsafe { ffi::lua_createtable(self.l, hint(elements), 0) }
    }

    #[inline]
    fn open_map(&mut self, entries: usize) {
        unsafe { ffi::lua_createtable(self.l, 0, hint(entries)) }
    }

    #[inline]
    fn name(&mut self, field: &Field) {
        unsafe {
            let name = field.name_id().index() + 1;
            ffi::lua_rawgeti(self.l, self.names, name as ffi::lua_Integer);
        }
    }

    #[inline]
    fn boolean(&mut self, value: bool) {
        unsafe { ffi::lua_pushboolean(self.l, c_int::from(value)) }
    }

    #[inline]
    fn integer(&mut self, value: i64) {
        #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
        unsafe {
            ffi::lua_pushinteger(self.l, value);
        }
        // Their integers are no wider than a pointer, their numbers are doubles everywhere.
        #[cfg(not(any(feature = "lua53", feature = "lua54", feature = "lua55")))]
        unsafe {
            ffi::lua_pushnumber(self.l, value as f64);
        }
    }

    #[inline]
    fn float(&mut self, value: f64) {
        unsafe { ffi::lua_pushnumber(self.l, value) }
    }

    #[inline]
    fn bytes(&mut self, value: &[u8]) {
        unsafe {
            ffi::lua_pushlstring(self.l, value.as_ptr().cast(), value.len());
        }
    }

    #[inline]
    fn store_field(&mut self) {
        unsafe { ffi::lua_rawset(self.l, -3) }
    }

    #[inline]
    fn store_element(&mut self, index: u32) {
        unsafe { ffi::lua_rawseti(self.l, -2, index as ffi::lua_Integer) }
    }

    fn store_entry(&mut self, key: &Field) -> Result<(), Malformed> {
        self.name(key);
        unsafe {
            let kind = ffi::lua_rawget(self.l, -2);
            // Lua would raise an error for either, which no peer may cause.
            let missing = kind == ffi::LUA_TNIL;
            if missing || (kind == ffi::LUA_TNUMBER && ffi::lua_tonumber(self.l, -1).is_nan()) {
                return Err(Malformed);
            }
            ffi::lua_insert(self.l, -2);
            ffi::lua_rawset(self.l, -3);
        }
        Ok(())
    }
}
