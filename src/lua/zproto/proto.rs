//! Protos: the userdata that own a schema each, and what can be asked of them without bytes.

use std::ffi::{c_char, c_int};
use std::path::PathBuf;
use std::{fs, mem, ptr};

use mlua::ffi;

use super::raise::{raise, type_name};
use super::{buffer, upvalue};
use crate::zproto::{self, Kind, MAX_DEPTH, Schema, Shape, StructId};

/// What a proto userdata holds. The reason of a failure is kept here for as long as it takes to
/// push it, because the function that does so may own nothing.
pub(super) enum Proto {
    Collected,
    Ready(Schema),
    Failed(String),
}

/// `zproto:parse(text)`
pub(super) unsafe extern "C-unwind" fn parse(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the text is anchored by argument 2.
    unsafe {
        ffi::luaL_checklstring(l, 2, ptr::null_mut());
        ffi::lua_settop(l, 2);
        let text = buffer::string(l, 2);
        let proto = push(l);
        fill(proto, text);
        finish(l, proto)
    }
}

/// `zproto:load(path)`
pub(super) unsafe extern "C-unwind" fn load(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the path is anchored by argument 2.
    unsafe {
        ffi::luaL_checklstring(l, 2, ptr::null_mut());
        ffi::lua_settop(l, 2);
        let path = buffer::string(l, 2);
        let proto = push(l);
        fill_from(proto, path);
        finish(l, proto)
    }
}

/// Pushes a proto without a schema.
///
/// # Safety
///
/// Only from a function with the upvalues of this module, with two free slots.
unsafe fn push(l: *mut ffi::lua_State) -> *mut Proto {
    // SAFETY: the block is initialised before it gets the metatable with the finalizer.
    unsafe {
        let proto = ffi::lua_newuserdata(l, mem::size_of::<Proto>()).cast::<Proto>();
        ptr::write(proto, Proto::Collected);
        ffi::lua_pushvalue(l, ffi::lua_upvalueindex(upvalue::PROTO));
        ffi::lua_setmetatable(l, -2);
        proto
    }
}

/// Calls no Lua and so may own what it likes.
///
/// # Safety
///
/// `proto` must be the block of a proto that is anchored, and nothing may refer into it.
unsafe fn fill(proto: *mut Proto, text: &[u8]) {
    let parsed = match zproto::parse(text) {
        Ok(schema) => Proto::Ready(schema),
        Err(error) => Proto::Failed(format!("{error}\n")),
    };
    // SAFETY: as promised.
    unsafe { *proto = parsed }
}

/// Likewise, from a file.
///
/// # Safety
///
/// As for [`fill`].
unsafe fn fill_from(proto: *mut Proto, path: &[u8]) {
    #[cfg(unix)]
    let path = PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path));
    #[cfg(not(unix))]
    let path = PathBuf::from(String::from_utf8_lossy(path).into_owned());
    // SAFETY: as promised.
    unsafe {
        match fs::read(&path) {
            Ok(text) => fill(proto, &text),
            Err(error) => *proto = Proto::Failed(format!("{}: {error}", path.display())),
        }
    }
}

/// Completes the proto at the top of the stack: with the table of its field names, so that a name
/// is pushed without making a string of it; or, after a failure, replaces it by nil and the reason.
///
/// # Safety
///
/// `proto` must be the block of that proto, and three slots be free.
unsafe fn finish(l: *mut ffi::lua_State, proto: *mut Proto) -> c_int {
    // SAFETY: the proto stays anchored by its slot of the stack, and nobody else knows it yet.
    unsafe {
        match &*proto {
            Proto::Ready(schema) => {
                ffi::lua_createtable(l, c_int::try_from(schema.names().len()).unwrap_or(0), 0);
                for (at, name) in schema.names().iter().enumerate() {
                    ffi::lua_pushlstring(l, name.as_ptr().cast::<c_char>(), name.len());
                    ffi::lua_rawseti(l, -2, at as ffi::lua_Integer + 1);
                }
                ffi::lua_setuservalue(l, -2);
                1
            }
            Proto::Failed(reason) => {
                ffi::lua_pushnil(l);
                ffi::lua_pushlstring(l, reason.as_ptr().cast::<c_char>(), reason.len());
                2
            }
            Proto::Collected => 0,
        }
    }
}

/// `__gc` of protos.
pub(super) unsafe extern "C-unwind" fn collect(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: the metatable tells that it is a proto. It stays a valid one, without a schema: at
    // the end of a state other finalizers may still use it.
    unsafe {
        if buffer::is(l, 1, upvalue::PROTO) {
            *ffi::lua_touserdata(l, 1).cast::<Proto>() = Proto::Collected;
        }
    }
    0
}

/// The schema of argument 1. Raises if that is no proto.
///
/// # Safety
///
/// Only from a function with the upvalues of this module; the schema lives as long as the argument
/// stays where it is.
pub(super) unsafe fn this<'a>(l: *mut ffi::lua_State, function: &str) -> &'a Schema {
    // SAFETY: the metatable tells that it is a proto, and only a finalizer changes those.
    unsafe {
        if !buffer::is(l, 1, upvalue::PROTO) {
            let got = type_name(ffi::lua_type(l, 1));
            raise(l, 1, format_args!("zproto.{function}: proto expected as self, got {got}"));
        }
        match schema(ffi::lua_touserdata(l, 1)) {
            Some(schema) => schema,
            None => raise(l, 1, format_args!("zproto.{function}: the proto is closed")),
        }
    }
}

/// The schema of a proto, unless it is collected.
///
/// # Safety
///
/// `proto` must be the block of a proto; the schema lives as long as that.
pub(super) unsafe fn schema<'a>(proto: *mut std::ffi::c_void) -> Option<&'a Schema> {
    // SAFETY: as promised.
    match unsafe { &*proto.cast::<Proto>() } {
        Proto::Ready(schema) => Some(schema),
        _ => None,
    }
}

/// The struct that the name or protocol tag at `index` stands for. Raises for other types.
///
/// # Safety
///
/// Only from a function with the upvalues of this module.
pub(super) unsafe fn find_struct(
    l: *mut ffi::lua_State,
    schema: &Schema,
    function: &str,
    index: c_int,
) -> Option<StructId> {
    // SAFETY: only looks at the argument.
    unsafe {
        match ffi::lua_type(l, index) {
            ffi::LUA_TSTRING => schema.by_name(buffer::string(l, index)),
            ffi::LUA_TNUMBER => {
                let number = ffi::lua_tonumber(l, index);
                // Tags are 32 bits wide and may be written with or without a sign.
                let tag = (-2_147_483_648.0..4_294_967_296.0).contains(&number);
                let tag = (tag && number.trunc() == number).then_some(number as i64 as i32);
                schema.by_tag(tag?)
            }
            kind => {
                let got = type_name(kind);
                raise(
                    l,
                    1,
                    format_args!("zproto.{function}: struct name or tag expected, got {got}"),
                )
            }
        }
    }
}

/// Like [`find_struct`], but raises also if there is no such struct.
///
/// # Safety
///
/// As for [`find_struct`].
pub(super) unsafe fn known_struct(
    l: *mut ffi::lua_State,
    schema: &Schema,
    function: &str,
    index: c_int,
) -> StructId {
    // SAFETY: passed on; a message that is cut short does no harm.
    unsafe {
        if let Some(id) = find_struct(l, schema, function, index) {
            return id;
        }
        if ffi::lua_type(l, index) == ffi::LUA_TSTRING {
            let name = buffer::string(l, index).escape_ascii();
            raise(l, 1, format_args!("zproto.{function}: unknown struct '{name}'"))
        }
        let tag = ffi::lua_tonumber(l, index);
        raise(l, 1, format_args!("zproto.{function}: unknown protocol tag {tag}"))
    }
}

/// `proto:tag(name)`, `proto:tag(number)`
pub(super) unsafe extern "C-unwind" fn tag(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the schema is anchored by argument 1.
    unsafe {
        let schema = this(l, "tag");
        let found = find_struct(l, schema, "tag", 2).and_then(|id| schema.get(id));
        match found {
            None => ffi::lua_pushnil(l),
            Some(of) if ffi::lua_type(l, 2) == ffi::LUA_TSTRING => {
                ffi::lua_pushinteger(l, of.tag() as ffi::lua_Integer);
            }
            Some(of) => {
                ffi::lua_pushlstring(l, of.name().as_ptr().cast::<c_char>(), of.name().len());
            }
        }
        1
    }
}

/// `proto:default(typ)`
pub(super) unsafe extern "C-unwind" fn default(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the schema is anchored by argument 1.
    unsafe {
        let schema = this(l, "default");
        let id = known_struct(l, schema, "default", 2);
        ffi::lua_settop(l, 2);
        ffi::lua_getuservalue(l, 1);
        if !push_default(l, schema, id, 1) {
            raise(l, 1, format_args!("zproto.default: structs nested deeper than {MAX_DEPTH}"));
        }
        1
    }
}

/// Pushes a table with all the fields of a struct; the field names are at index 3. Tells whether
/// the struct was shallow enough.
///
/// # Safety
///
/// `l` must be a valid state with the table of names at index 3.
unsafe fn push_default(
    l: *mut ffi::lua_State,
    schema: &Schema,
    id: StructId,
    depth: usize,
) -> bool {
    let Some(of) = schema.get(id) else {
        return false;
    };
    // SAFETY: room is made for what a level pushes.
    unsafe {
        if depth > MAX_DEPTH || ffi::lua_checkstack(l, 8) == 0 {
            return false;
        }
        ffi::lua_createtable(l, 0, c_int::try_from(of.fields().len()).unwrap_or(0));
        for field in of.fields() {
            ffi::lua_rawgeti(l, 3, field.name_id().index() as ffi::lua_Integer + 1);
            match field.kind() {
                _ if field.shape() != Shape::One => ffi::lua_createtable(l, 0, 0),
                Kind::Struct(id) => {
                    if !push_default(l, schema, id, depth + 1) {
                        return false;
                    }
                }
                Kind::Boolean => ffi::lua_pushboolean(l, 0),
                Kind::Float => ffi::lua_pushnumber(l, 0.0),
                Kind::String | Kind::Blob => {
                    ffi::lua_pushlstring(l, c"".as_ptr(), 0);
                }
                _ => ffi::lua_pushinteger(l, 0),
            }
            ffi::lua_rawset(l, -3);
        }
        true
    }
}
