//! The Lua face of zproto: the module table and its codec functions.
//!
//! Written against the raw C API, because every field of every message passes through here and
//! each call that can be saved counts. The price is a rule for all the files below: Lua leaves
//! functions by `longjmp` when it raises an error, so none of them may own anything while it calls
//! Lua. What must live on belongs to a userdata with a `__gc`.

mod buffer;
mod proto;
mod raise;
mod scratch;
mod sink;
mod source;
mod travel;

use std::ffi::CStr;

use mlua::ffi;
use std::ffi::c_int;

use self::raise::raise;
use crate::zproto::{EncodeError, OutOfMemory, UnpackError, decode, encode, pack, unpack};

/// A function for Lua, which alone calls it: with a valid state, the free places on the stack that
/// every C function has, and the upvalues below.
type Function = unsafe extern "C-unwind" fn(*mut ffi::lua_State) -> c_int;

/// Upvalues of all the functions here, in this order.
mod upvalue {
    use std::ffi::c_int;

    /// The [`Scratch`](super::scratch::Scratch) of the Lua state.
    pub(super) const SCRATCH: c_int = 1;
    /// The metatable that tells protos from other userdata.
    pub(super) const PROTO: c_int = 2;
    /// The metatable that tells buffers from other userdata.
    pub(super) const BUFFER: c_int = 3;
    /// What a function that writes to scratch memory runs in protected mode.
    pub(super) const INNER: c_int = 4;
}

/// The `zproto` table.
pub(super) fn module(lua: &mlua::Lua) -> mlua::Result<mlua::Table> {
    // SAFETY: `open` leaves one table on the stack and owns nothing when it raises.
    unsafe { lua.exec_raw((), |l| open(l)) }
}

/// Pushes the `zproto` table.
///
/// # Safety
///
/// `l` must be a Lua state in protected mode.
unsafe fn open(l: *mut ffi::lua_State) {
    let functions: [(&CStr, Function, Option<Function>); 9] = [
        (c"parse", proto::parse, None),
        (c"load", proto::load, None),
        (c"tag", proto::tag, None),
        (c"default", proto::default, None),
        (c"travel", travel::travel, None),
        (c"decode", decode_bytes, None),
        (c"encode", encode_value, Some(encode_inner)),
        (c"pack", pack_bytes, Some(pack_inner)),
        (c"unpack", unpack_bytes, Some(unpack_inner)),
    ];
    // SAFETY: the state is valid and has the 20 free slots of any C function; at most 11 are used.
    unsafe {
        ffi::luaL_checkstack(l, 20, c"zproto".as_ptr());
        ffi::lua_createtable(l, 0, functions.len() as c_int);
        let module = ffi::lua_gettop(l);
        let upvalues = module + 1;
        scratch::push(l);
        ffi::lua_createtable(l, 0, 4);
        ffi::lua_createtable(l, 0, 4);

        let closure = |function: Function, inner: Option<Function>| {
            for index in upvalues..upvalues + 3 {
                ffi::lua_pushvalue(l, index);
            }
            if let Some(inner) = inner {
                for index in upvalues..upvalues + 3 {
                    ffi::lua_pushvalue(l, index);
                }
                ffi::lua_pushcclosure(l, inner, 3);
            }
            ffi::lua_pushcclosure(l, function, 3 + c_int::from(inner.is_some()));
        };
        for (name, function, inner) in functions {
            closure(function, inner);
            ffi::lua_setfield(l, module, name.as_ptr());
        }

        let metatables = [(upvalues + 1, c"zproto.proto"), (upvalues + 2, c"zproto.buffer")];
        for (metatable, name) in metatables {
            // Hidden from Lua: finalizers in the wrong hands are trouble.
            for field in [c"__name", c"__metatable"] {
                ffi::lua_pushstring(l, name.as_ptr());
                ffi::lua_setfield(l, metatable, field.as_ptr());
            }
        }
        ffi::lua_pushvalue(l, module);
        ffi::lua_setfield(l, upvalues + 1, c"__index".as_ptr());
        closure(proto::collect, None);
        ffi::lua_setfield(l, upvalues + 1, c"__gc".as_ptr());
        closure(buffer::len, None);
        ffi::lua_setfield(l, upvalues + 2, c"__len".as_ptr());
        ffi::lua_settop(l, module);
    }
}

/// `proto:encode(typ, value [, raw])`
unsafe extern "C-unwind" fn encode_value(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the schema is anchored by argument 1.
    unsafe {
        let schema = proto::this(l, "encode");
        let id = proto::known_struct(l, schema, "encode", 2);
        ffi::lua_settop(l, 4);
        ffi::lua_pushinteger(l, id.get().into());
        ffi::lua_replace(l, 2);
        scratch::protected(l, "encode")
    }
}

unsafe extern "C-unwind" fn encode_inner(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by `scratch::protected` with what `encode_value` has checked, and with a
    // scratch level that nobody else uses.
    unsafe {
        let schema = proto::this(l, "encode");
        let Some(id) = schema.by_index(ffi::lua_tointeger(l, 2) as u32) else {
            return 0;
        };
        let out = scratch::current(l);
        let raw = ffi::lua_toboolean(l, 4) != 0;
        ffi::lua_getuservalue(l, 1);
        let (mut source, value) = source::at(l, 3, 5);
        match encode(schema, id, &mut source, value, out) {
            Ok(()) => buffer::give(l, out, raw),
            Err(error @ EncodeError { field: None, .. }) => {
                let name = schema.get(id).map_or("", |s| s.name());
                raise(l, 2, format_args!("zproto.encode: struct '{name}': {error}"))
            }
            Err(error) => raise(l, 2, format_args!("zproto.encode: {error}")),
        }
    }
}

/// `proto:decode(typ, bytes)`, `proto:decode(typ, buffer, size)`
unsafe extern "C-unwind" fn decode_bytes(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the schema and the bytes are anchored by the arguments.
    unsafe {
        let schema = proto::this(l, "decode");
        let id = proto::known_struct(l, schema, "decode", 2);
        let (bytes, _) = buffer::input(l, "decode", 3);
        ffi::lua_settop(l, 3);
        ffi::lua_getuservalue(l, 1);
        let mut sink = sink::at(l, 4);
        match decode(schema, id, bytes, &mut sink) {
            Ok(used) => ffi::lua_pushinteger(l, used as ffi::lua_Integer),
            Err(_) => {
                ffi::lua_settop(l, 0);
                ffi::lua_pushnil(l);
                // The number callers of the original know for malformed messages.
                ffi::lua_pushinteger(l, -3);
            }
        }
        2
    }
}

/// `proto:pack(bytes [, raw])`, `proto:pack(buffer, size [, raw])`
unsafe extern "C-unwind" fn pack_bytes(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { check_bytes(l, "pack") }
}

unsafe extern "C-unwind" fn pack_inner(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as for `encode_inner`; the bytes are anchored by argument 2.
    unsafe {
        let (bytes, raw) = buffer::input(l, "pack", 2);
        let out = scratch::current(l);
        match pack(bytes, out) {
            Ok(()) => buffer::give(l, out, ffi::lua_toboolean(l, raw) != 0),
            Err(OutOfMemory) => raise(l, 2, format_args!("zproto.pack: not enough memory")),
        }
    }
}

/// `proto:unpack(bytes [, raw])`, `proto:unpack(buffer, size [, raw])`
unsafe extern "C-unwind" fn unpack_bytes(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { check_bytes(l, "unpack") }
}

unsafe extern "C-unwind" fn unpack_inner(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: as for `pack_inner`.
    unsafe {
        let (bytes, raw) = buffer::input(l, "unpack", 2);
        let out = scratch::current(l);
        match unpack(bytes, out) {
            Ok(()) => buffer::give(l, out, ffi::lua_toboolean(l, raw) != 0),
            Err(UnpackError::Malformed) => 0,
            Err(UnpackError::Memory) => {
                raise(l, 2, format_args!("zproto.unpack: not enough memory"))
            }
        }
    }
}

/// The outer half of `pack` and `unpack`: all complaints about arguments come from here, where
/// Lua still knows who called.
///
/// # Safety
///
/// Only from a function that Lua called, with the upvalues of this module.
unsafe fn check_bytes(l: *mut ffi::lua_State, function: &str) -> c_int {
    // SAFETY: passed on.
    unsafe {
        proto::this(l, function);
        buffer::input(l, function, 2);
        ffi::lua_settop(l, 4);
        scratch::protected(l, function)
    }
}
