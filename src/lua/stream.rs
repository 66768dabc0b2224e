//! Reading and writing streams, through the raw C interface: what arrives and leaves is copied
//! once, between Lua's strings and the stream's own buffers.

use std::ffi::c_int;

use bytes::BytesMut;
use mlua::ffi::{self, lua_State};

use crate::node::Node;
use crate::registry::Id;
use crate::tcp::{Reading, Want};

use super::raw::{Function, Hold, bytes, hold, integer, push_text};
use super::slot;

/// What this file adds to the native table of plain TCP.
pub(super) const FUNCTIONS: [Function; 3] =
    [(c"read", read), (c"conclude", conclude), (c"write", write)];

/// `read(stream, count or delimiter, milliseconds or nil)`: the bytes; `""` or nil, and why there
/// are none; or nil, nil and the slot to wait on.
unsafe extern "C-unwind" fn read(state: *mut lua_State) -> c_int {
    // SAFETY: the delimiter is read while it is on the stack, and the node's borrow ends before
    // anything that may raise. Only tasks that may wait come here, which no finaliser is.
    unsafe {
        let stream = stream(state);
        let want = match bytes(state, 2) {
            Some(delimiter) => Want::Through(delimiter.first().copied().unwrap_or(0)),
            None => Want::Exactly(integer(state, 2).unwrap_or(0).max(0) as usize),
        };
        let timeout = integer(state, 3).map(|limit| limit.max(0) as u64);
        let hold = hold(state);
        let reading = match hold.node.try_borrow_mut() {
            Ok(mut node) => {
                let Node { rooms, reactor, .. } = &mut *node;
                rooms.tcp.read(reactor, stream, want, timeout)
            }
            Err(_) => Reading::Failed(BUSY.to_owned()),
        };
        give(state, hold, stream, reading)
    }
}

/// `conclude(stream)`: what a read that had to wait came to; as `read`, but never a slot.
unsafe extern "C-unwind" fn conclude(state: *mut lua_State) -> c_int {
    // SAFETY: as `read`.
    unsafe {
        let stream = stream(state);
        let hold = hold(state);
        let reading = match hold.node.try_borrow_mut() {
            Ok(mut node) => {
                let Node { rooms, reactor, .. } = &mut *node;
                rooms.tcp.conclude_read(reactor, stream)
            }
            Err(_) => Reading::Failed(BUSY.to_owned()),
        };
        give(state, hold, stream, reading)
    }
}

/// No function of ours runs while another one does.
const BUSY: &str = "the loop is busy";

/// The stream that the first argument names.
///
/// # Safety
/// For functions of `install` only.
unsafe fn stream(state: *mut lua_State) -> Id {
    // SAFETY: as the caller promises.
    Id::from_bits(unsafe { integer(state, 1) }.unwrap_or(0) as u64)
}

/// Hands over what a read came to.
///
/// # Safety
/// For functions of `install` only, and those that no finaliser can get at.
unsafe fn give(state: *mut lua_State, hold: *mut Hold, stream: Id, reading: Reading) -> c_int {
    // SAFETY: the bytes stay in the hold while Lua copies them, whatever a finaliser that runs
    // before that does to the stream, and no reference into the hold lives meanwhile. Should it
    // raise for lack of memory, the bytes are lost, and nothing with a destructor is on this frame.
    unsafe {
        match reading {
            Reading::Bytes { bytes, count } => {
                let place = bytes.as_ptr();
                (*hold).bytes = bytes;
                ffi::lua_pushlstring(state, place.cast(), count);
                let bytes = std::mem::take(&mut (*hold).bytes);
                if let Ok(mut node) = (*hold).node.try_borrow_mut() {
                    node.rooms.tcp.take_back(stream, bytes, count);
                }
                1
            }
            Reading::Waiting => {
                ffi::lua_pushnil(state);
                ffi::lua_pushnil(state);
                ffi::lua_pushinteger(state, slot(stream) as ffi::lua_Integer);
                3
            }
            Reading::End => {
                ffi::lua_pushstring(state, c"".as_ptr());
                ffi::lua_pushstring(state, c"end of file".as_ptr());
                2
            }
            Reading::Failed(why) => {
                (*hold).text = why;
                ffi::lua_pushnil(state);
                push_text(state, hold);
                2
            }
        }
    }
}

/// `write(stream, string or list)`: true; false and why not; or nil and the place of what is no
/// string in the list, of which nothing is written then.
unsafe extern "C-unwind" fn write(state: *mut lua_State) -> c_int {
    // SAFETY: the strings are on the stack, or in a list that is, while they are copied; looking
    // at them neither converts nor raises. The borrow ends before anything that may raise.
    unsafe {
        let count = match bytes(state, 2) {
            Some(_) => 0,
            None => ffi::lua_rawlen(state, 2),
        };
        let mut total = bytes(state, 2).map_or(0, <[u8]>::len);
        for place in 1..=count {
            match element(state, place) {
                Some(part) => total += part.len(),
                None => {
                    ffi::lua_pushnil(state);
                    ffi::lua_pushinteger(state, place as ffi::lua_Integer);
                    return 2;
                }
            }
        }
        let append = |out: &mut BytesMut| {
            out.reserve(total);
            out.extend_from_slice(bytes(state, 2).unwrap_or_default());
            for place in 1..=count {
                out.extend_from_slice(element(state, place).unwrap_or_default());
            }
        };
        let stream = stream(state);
        let hold = hold(state);
        let outcome = match hold.node.try_borrow_mut() {
            Ok(mut node) => {
                let Node { rooms, reactor, .. } = &mut *node;
                rooms.tcp.write(reactor, stream, append)
            }
            Err(_) => Err(BUSY.to_owned()),
        };
        let Err(why) = outcome else {
            ffi::lua_pushboolean(state, 1);
            return 1;
        };
        // A finaliser that writes, too, changes it only after it was copied.
        hold.text = why;
        ffi::lua_pushboolean(state, 0);
        push_text(state, hold);
        2
    }
}

/// The string at a place of the list that is the second argument. Its bytes stay while it is in
/// there.
///
/// # Safety
/// The second argument is a table, and the reference must not outlive the function call.
unsafe fn element<'a>(state: *mut lua_State, place: usize) -> Option<&'a [u8]> {
    // SAFETY: one place of the stack is used and given back.
    unsafe {
        ffi::lua_rawgeti(state, 2, place as ffi::lua_Integer);
        let part = bytes(state, -1);
        ffi::lua_settop(state, -2);
        part
    }
}
