//! `proto:travel`: iterators over what a schema defines.

use std::ffi::{c_char, c_int};
use std::ptr;

use mlua::ffi;

use super::proto;
use super::raise::{raise, type_name};
use super::{Function, buffer};
use crate::zproto::{Schema, Shape};

/// Upvalues of the iterators. The first keeps the proto alive.
mod held {
    use std::ffi::c_int;

    pub(super) const PROTO: c_int = 1;
    /// How many items have been given.
    pub(super) const GIVEN: c_int = 2;
    /// The number of the struct whose items these are, or -1 for the top level.
    pub(super) const STRUCT: c_int = 3;
}

/// `proto:travel("struct" [, typ])`, `proto:travel("field", typ)`
pub(super) unsafe extern "C-unwind" fn travel(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the schema is anchored by argument 1.
    unsafe {
        let schema = proto::this(l, "travel");
        let mode = match ffi::lua_type(l, 2) {
            ffi::LUA_TNONE | ffi::LUA_TNIL => "field".as_bytes(),
            ffi::LUA_TSTRING => buffer::string(l, 2),
            kind => {
                let got = type_name(kind);
                raise(l, 1, format_args!("zproto.travel: string expected as mode, got {got}"))
            }
        };
        let (next, of): (Function, _) = match mode {
            b"struct" if ffi::lua_type(l, 3) <= ffi::LUA_TNIL => (next_struct, None),
            b"struct" => (next_struct, proto::find_struct(l, schema, "travel", 3)),
            b"field" => (next_field, Some(proto::known_struct(l, schema, "travel", 3))),
            other => {
                let other = other.escape_ascii();
                raise(l, 1, format_args!("zproto.travel: unknown mode '{other}'"))
            }
        };
        ffi::lua_pushvalue(l, 1);
        ffi::lua_pushinteger(l, 0);
        ffi::lua_pushinteger(l, of.map_or(-1, |id| id.get() as ffi::lua_Integer));
        ffi::lua_pushcclosure(l, next, 3);
        1
    }
}

/// Gives index, name and a reference that is good for comparing only.
unsafe extern "C-unwind" fn next_struct(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the upvalues are those of `travel`.
    unsafe {
        let Some((schema, index)) = advance(l) else {
            return 0;
        };
        let list = match owner(l) {
            Some(number) => {
                schema.by_index(number).and_then(|id| schema.get(id)).map(|s| s.children())
            }
            None => Some(schema.roots()),
        };
        let Some(&id) = list.and_then(|list| list.get(index)) else {
            return 0;
        };
        let Some(of) = schema.get(id) else { return 0 };
        ffi::lua_pushinteger(l, index as ffi::lua_Integer + 1);
        ffi::lua_pushlstring(l, of.name().as_ptr().cast::<c_char>(), of.name().len());
        // Not an address: there is nothing that could be used after it is gone.
        ffi::lua_pushlightuserdata(l, ptr::without_provenance_mut(id.get() as usize + 1));
        3
    }
}

/// Gives index and description.
unsafe extern "C-unwind" fn next_field(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the upvalues are those of `travel`.
    unsafe {
        let Some((schema, index)) = advance(l) else {
            return 0;
        };
        let of = owner(l).and_then(|number| schema.by_index(number)).and_then(|id| schema.get(id));
        let Some(field) = of.and_then(|of| of.fields().get(index)) else {
            return 0;
        };
        ffi::lua_pushinteger(l, index as ffi::lua_Integer + 1);
        ffi::lua_createtable(l, 0, 5);
        let set = |name: &str, key: &std::ffi::CStr| {
            ffi::lua_pushlstring(l, name.as_ptr().cast::<c_char>(), name.len());
            ffi::lua_setfield(l, -2, key.as_ptr());
        };
        set(field.name(), c"name");
        set(schema.type_name(field.kind()), c"type");
        if let Some(key) = schema.map_key(field) {
            set(key.name(), c"mapkey");
        }
        ffi::lua_pushinteger(l, field.tag().into());
        ffi::lua_setfield(l, -2, c"tag".as_ptr());
        ffi::lua_pushboolean(l, c_int::from(field.shape() != Shape::One));
        ffi::lua_setfield(l, -2, c"array".as_ptr());
        2
    }
}

/// Counts one item more and gives its place, unless the proto is collected.
///
/// # Safety
///
/// Only from an iterator, whose upvalues are those of `travel`.
unsafe fn advance<'a>(l: *mut ffi::lua_State) -> Option<(&'a Schema, usize)> {
    // SAFETY: as promised: the first upvalue is a proto, and keeps it alive.
    unsafe {
        let schema = proto::schema(ffi::lua_touserdata(l, ffi::lua_upvalueindex(held::PROTO)))?;
        let given = ffi::lua_tointeger(l, ffi::lua_upvalueindex(held::GIVEN));
        ffi::lua_pushinteger(l, given + 1);
        ffi::lua_replace(l, ffi::lua_upvalueindex(held::GIVEN));
        Some((schema, usize::try_from(given).ok()?))
    }
}

/// The number of the struct that is travelled, `None` for the top level.
///
/// # Safety
///
/// As for [`advance`].
unsafe fn owner(l: *mut ffi::lua_State) -> Option<u32> {
    // SAFETY: as promised.
    let number = unsafe { ffi::lua_tointeger(l, ffi::lua_upvalueindex(held::STRUCT)) };
    u32::try_from(number).ok()
}
