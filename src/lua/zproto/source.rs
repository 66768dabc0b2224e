//! Lua values as the encoder reads them.

use std::ffi::c_int;
use std::slice;

use mlua::ffi;

use super::raise::type_name;
use crate::zproto::{Field, Source, Wrong};

/// Slots of the Lua stack that one struct level may need: its table, a table of elements, a key,
/// an element and what a read pushes; and some more for good measure.
const SLOTS: c_int = 12;

/// Reads from the stack of one state. Values it hands out are at the top of the stack.
pub(super) struct LuaSource {
    l: *mut ffi::lua_State,
    /// Where the table of field names is.
    names: c_int,
}

/// A value on the stack.
#[derive(Clone, Copy)]
pub(super) struct LuaValue {
    index: c_int,
    kind: c_int,
}

/// A table on the stack.
#[derive(Clone, Copy)]
pub(super) struct LuaTable {
    index: c_int,
    /// Without a metatable it can be read without asking for metamethods, which is faster.
    plain: bool,
}

/// A source for the value at `value`, with the field names of the schema in the table at `names`.
///
/// # Safety
///
/// Both indices must be absolute and stay what they are while the source is used, and no caller up
/// to the next protected call may own anything: the source may raise errors.
pub(super) unsafe fn at(
    l: *mut ffi::lua_State,
    value: c_int,
    names: c_int,
) -> (LuaSource, LuaValue) {
    // SAFETY: as promised.
    let kind = unsafe { ffi::lua_type(l, value) };
    (LuaSource { l, names }, LuaValue { index: value, kind })
}

impl LuaSource {
    fn pushed(&mut self, kind: c_int) -> Option<LuaValue> {
        if kind == ffi::LUA_TNIL {
            self.pop();
            return None;
        }
        Some(LuaValue { index: -1, kind })
    }

    fn pop(&mut self) {
        // SAFETY: called only with a value of ours at the top.
        unsafe { ffi::lua_settop(self.l, -2) }
    }
}

fn wrong<T>(wanted: &'static str, value: LuaValue) -> Result<T, Wrong> {
    Err(Wrong::Type { wanted, got: type_name(value.kind) })
}

// SAFETY of all the blocks below: `at` was promised a valid state; each struct level has made
// room for the slots it uses; and indices are of values that are still on the stack.
#[expect(clippy::undocumented_unsafe_blocks, reason = "said above for all of them")]
impl Source for LuaSource {
    type Value = LuaValue;
    type Table = LuaTable;
    type Cursor = ();

    fn body(&mut self, value: LuaValue) -> Result<LuaTable, Wrong> {
        if value.kind == ffi::LUA_TTABLE {
            return self.table(value);
        }
        // Whatever can be indexed will do, even a string. What cannot is told here rather than by
        // Lua, which does not know the name of the struct.
        unsafe {
            if ffi::lua_getmetatable(self.l, value.index) == 0 {
                return wrong("table", value);
            }
        }
        self.pop();
        Ok(LuaTable { index: value.index, plain: false })
    }

    #[inline]
    fn table(&mut self, value: LuaValue) -> Result<LuaTable, Wrong> {
        if value.kind != ffi::LUA_TTABLE {
            return wrong("table", value);
        }
        unsafe {
            if ffi::lua_checkstack(self.l, SLOTS) == 0 {
                return Err(Wrong::Memory);
            }
            let index = ffi::lua_absindex(self.l, value.index);
            let plain = ffi::lua_getmetatable(self.l, index) == 0;
            if !plain {
                self.pop();
            }
            Ok(LuaTable { index, plain })
        }
    }

    #[inline]
    fn get(&mut self, table: LuaTable, field: &Field) -> Option<LuaValue> {
        unsafe {
            let name = field.name_id().index() + 1;
            ffi::lua_rawgeti(self.l, self.names, name as ffi::lua_Integer);
            let kind = match table.plain {
                true => ffi::lua_rawget(self.l, table.index),
                false => ffi::lua_gettable(self.l, table.index),
            };
            self.pushed(kind)
        }
    }

    #[inline]
    fn element(&mut self, table: LuaTable, index: u32) -> Option<LuaValue> {
        unsafe {
            let index = index as ffi::lua_Integer;
            let kind = match table.plain {
                true => ffi::lua_rawgeti(self.l, table.index, index),
                false => ffi::lua_geti(self.l, table.index, index),
            };
            self.pushed(kind)
        }
    }

    fn first(&mut self, _: LuaTable) {
        unsafe { ffi::lua_pushnil(self.l) }
    }

    /// The key stays on the stack below the value, for the next call.
    #[inline]
    fn next(&mut self, table: LuaTable, (): &mut ()) -> Option<LuaValue> {
        unsafe {
            if ffi::lua_next(self.l, table.index) == 0 {
                return None;
            }
            Some(LuaValue { index: -1, kind: ffi::lua_type(self.l, -1) })
        }
    }

    #[inline]
    fn release(&mut self, _: LuaValue) {
        self.pop();
    }

    #[inline]
    fn boolean(&mut self, value: LuaValue) -> Result<bool, Wrong> {
        if value.kind != ffi::LUA_TBOOLEAN {
            return wrong("boolean", value);
        }
        Ok(unsafe { ffi::lua_toboolean(self.l, value.index) != 0 })
    }

    #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
    #[inline]
    fn integer(&mut self, value: LuaValue) -> Result<i64, Wrong> {
        if value.kind != ffi::LUA_TNUMBER {
            return wrong("number", value);
        }
        let mut exact = 0;
        let integer = unsafe { ffi::lua_tointegerx(self.l, value.index, &mut exact) };
        if exact == 0 { Err(Wrong::NotWhole) } else { Ok(integer) }
    }

    /// These have no integers, and their own conversions cut what does not fit.
    #[cfg(not(any(feature = "lua53", feature = "lua54", feature = "lua55")))]
    #[inline]
    fn integer(&mut self, value: LuaValue) -> Result<i64, Wrong> {
        let number = self.number(value)?;
        crate::zproto::exact_integer(number).ok_or(Wrong::NotWhole)
    }

    #[inline]
    fn number(&mut self, value: LuaValue) -> Result<f64, Wrong> {
        if value.kind != ffi::LUA_TNUMBER {
            return wrong("number", value);
        }
        Ok(unsafe { ffi::lua_tonumber(self.l, value.index) })
    }

    #[inline]
    fn bytes(&mut self, value: LuaValue) -> Result<&[u8], Wrong> {
        if value.kind != ffi::LUA_TSTRING {
            return wrong("string", value);
        }
        unsafe {
            let mut len = 0;
            let data = ffi::lua_tolstring(self.l, value.index, &mut len);
            Ok(slice::from_raw_parts(data.cast(), len))
        }
    }
}
