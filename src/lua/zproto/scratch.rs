//! The memory that messages are written to before they become Lua strings.
//!
//! It is kept from call to call, one buffer for each call that is under way: a metamethod of a
//! table being encoded, or a finalizer, may call `encode` again, and must not write over the outer
//! message. Which calls are under way is known because each runs in protected mode, so that errors
//! cannot skip the end of it.

use std::ffi::{c_int, c_void};
use std::{mem, ptr};

use mlua::ffi;

use super::raise::raise;
use super::upvalue;

/// Calls that may be inside one another.
const LEVELS: usize = 32;
/// Capacity that a buffer may keep after a call. One huge message must not cost its size forever.
const KEEP: usize = 1 << 20;

/// One per Lua state, in a userdata of its own.
pub(super) struct Scratch {
    /// Calls under way; buffer `depth - 1` belongs to the innermost.
    depth: usize,
    levels: [Vec<u8>; LEVELS],
}

/// Pushes a userdata with a new [`Scratch`].
///
/// # Safety
///
/// `l` must be a valid state with four free slots.
pub(super) unsafe fn push(l: *mut ffi::lua_State) {
    // SAFETY: the block is large enough and aligned for anything; it is initialised before it gets
    // the finalizer.
    unsafe {
        let block = ffi::lua_newuserdata(l, mem::size_of::<Scratch>()).cast::<Scratch>();
        ptr::write(block, Scratch { depth: 0, levels: [const { Vec::new() }; LEVELS] });
        ffi::lua_createtable(l, 0, 1);
        ffi::lua_pushcclosure(l, collect, 0);
        ffi::lua_setfield(l, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(l, -2);
    }
}

/// Frees the buffers, unless one is in use: at the end of a state other finalizers may still encode,
/// and before 5.2 what one of them allocates may begin a collection that comes here.
unsafe extern "C-unwind" fn collect(l: *mut ffi::lua_State) -> c_int {
    // SAFETY: the metatable of this finalizer is out of the reach of Lua programs, so that the
    // argument is a `Scratch`. At depth 0 nobody has a reference into it.
    unsafe {
        let scratch = ffi::lua_touserdata(l, 1).cast::<Scratch>();
        if (*scratch).depth == 0 {
            (*scratch).levels = [const { Vec::new() }; LEVELS];
        }
    }
    0
}

/// Calls the upvalue `INNER` with all the arguments on the stack, with a buffer of its own, and
/// returns what it returns.
///
/// # Safety
///
/// Only from a function with the upvalues of this module.
pub(super) unsafe fn protected(l: *mut ffi::lua_State, function: &str) -> c_int {
    // SAFETY: the upvalue anchors the scratch. It is reached through places, never through a
    // reference to the whole, because outer calls hold references to their own buffers.
    unsafe {
        let scratch: *mut Scratch = of(l);
        let depth = (*scratch).depth;
        if depth == LEVELS {
            raise(l, 1, format_args!("zproto.{function}: too many calls inside one another"));
        }
        let arguments = ffi::lua_gettop(l);
        ffi::lua_pushvalue(l, ffi::lua_upvalueindex(upvalue::INNER));
        ffi::lua_insert(l, 1);
        (*scratch).depth = depth + 1;
        let status = ffi::lua_pcall(l, arguments, ffi::LUA_MULTRET, 0);
        (*scratch).depth = depth;
        #[expect(clippy::indexing_slicing, reason = "compared with LEVELS above")]
        let buffer = &mut *ptr::addr_of_mut!((*scratch).levels[depth]);
        if buffer.capacity() > KEEP {
            *buffer = Vec::new();
        }
        if status != ffi::LUA_OK {
            ffi::lua_error(l);
        }
        ffi::lua_gettop(l)
    }
}

/// The buffer of the innermost call, empty.
///
/// # Safety
///
/// Only inside [`protected`], once per call: the reference must stay the only one.
pub(super) unsafe fn current<'a>(l: *mut ffi::lua_State) -> &'a mut Vec<u8> {
    // SAFETY: as in `protected`, which has set `depth` to at least 1.
    unsafe {
        let scratch: *mut Scratch = of(l);
        let depth = (*scratch).depth;
        #[expect(clippy::indexing_slicing, reason = "`depth` is 1 to LEVELS inside `protected`")]
        let buffer = &mut *ptr::addr_of_mut!((*scratch).levels[depth - 1]);
        buffer.clear();
        buffer
    }
}

/// The scratch of this state.
///
/// # Safety
///
/// Only from a function with the upvalues of this module.
unsafe fn of(l: *mut ffi::lua_State) -> *mut Scratch {
    // SAFETY: as promised; upvalues can be asked for at any time.
    let block: *mut c_void =
        unsafe { ffi::lua_touserdata(l, ffi::lua_upvalueindex(upvalue::SCRATCH)) };
    block.cast()
}
