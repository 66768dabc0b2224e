//! What runs for every message, through the raw C interface: `call`, `send`, `respond`, `next`
//! and the trace ids, which mlua's safe conversions would cut.
//!
//! The rule of this file: a function borrows the node, does its work and lets the borrow go, and
//! only then touches Lua in ways that may raise, holding nothing that has a destructor. A raise is
//! a longjmp over these frames.

use std::ffi::{CStr, c_int};
use std::rc::Rc;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Result, Table};

use crate::cluster::{Kind, Message, Submitted};
use crate::node::Node;
use crate::reactor::event::Event;
use crate::registry::Id;

use super::{Shared, slot, trace};

/// The kinds of events as Lua sees them, by name in `core.events`.
const AWAKE: i64 = 1;
const ALARM: i64 = 2;
const ACCEPTED: i64 = 3;
const CONNECTED: i64 = 4;
const CLOSED: i64 = 5;
const REQUEST: i64 = 6;
const REPLY: i64 = 7;
const DONE: i64 = 8;
const FAILED: i64 = 9;
const LOG: i64 = 10;

const NAMES: [(&str, i64); 10] = [
    ("AWAKE", AWAKE),
    ("ALARM", ALARM),
    ("ACCEPTED", ACCEPTED),
    ("CONNECTED", CONNECTED),
    ("CLOSED", CLOSED),
    ("REQUEST", REQUEST),
    ("REPLY", REPLY),
    ("DONE", DONE),
    ("FAILED", FAILED),
    ("LOG", LOG),
];

/// What the functions below find in their upvalue.
struct Hold {
    node: Shared,
    /// The event being handed over: its strings must outlive the call that pushes them.
    current: Option<Event>,
    /// The same for text that is made on the way. Written only by functions that no finaliser can
    /// get at: those that need a task which may wait, and the loop's own.
    text: String,
}

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    let events = lua.create_table()?;
    for (name, kind) in NAMES {
        events.raw_set(name, kind)?;
    }
    core.raw_set("events", events)?;
    let hold = Box::new(Hold { node: Rc::clone(node), current: None, text: String::new() });
    // SAFETY: runs protected, with the table as the only argument; the box is handed to a
    // userdata whose finaliser frees it. Should the allocation of that userdata raise, the box
    // leaks, once, in a state that could not even load the module.
    unsafe { lua.exec_raw::<()>(core, |state| install(state, Box::into_raw(hold))) }
}

/// # Safety
/// The native table is on top of the stack.
unsafe fn install(state: *mut lua_State, hold: *mut Hold) {
    type Function = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;
    const FUNCTIONS: [(&CStr, Function); 7] = [
        (c"call", call),
        (c"send", send),
        (c"respond", respond),
        (c"next", next),
        (c"trace_spawn", trace_spawn),
        (c"trace_propagate", trace_propagate),
        (c"trace_text", trace_text),
    ];
    // SAFETY: stack use is balanced: the userdata, its metatable, one closure at a time.
    unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<*mut Hold>()).cast::<*mut Hold>();
        *place = hold;
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushcclosure(state, finalise, 0);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(state, -2);
        for (name, function) in FUNCTIONS {
            ffi::lua_pushvalue(state, -1);
            ffi::lua_pushcclosure(state, function, 1);
            ffi::lua_setfield(state, -3, name.as_ptr());
        }
        ffi::lua_pop(state, 2);
    }
}

unsafe extern "C-unwind" fn finalise(state: *mut lua_State) -> c_int {
    // SAFETY: argument 1 of this finaliser is the userdata that `install` made; the pointer is
    // cleared, so a second call finds nothing.
    unsafe {
        let place = ffi::lua_touserdata(state, 1).cast::<*mut Hold>();
        if !place.is_null() {
            let hold = std::mem::replace(&mut *place, std::ptr::null_mut());
            if !hold.is_null() {
                drop(Box::from_raw(hold));
            }
        }
    }
    0
}

/// The function's hold; raises when the state is closing and it is gone.
///
/// # Safety
/// Only for functions that `install` made: their upvalue 1 is the userdata. The reference must
/// not be used across anything that may run Lua code.
unsafe fn hold<'a>(state: *mut lua_State) -> &'a mut Hold {
    // SAFETY: as promised above; the state is single-threaded, and no other reference lives,
    // since each function lets its own go before Lua runs again.
    unsafe {
        let place = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<*mut Hold>();
        match (*place).as_mut() {
            Some(hold) => hold,
            None => raise(state, 1, c"silly: this Lua state is closing"),
        }
    }
}

/// Raises a message with the position of the caller at `level`.
///
/// # Safety
/// Never returns; the caller holds nothing with a destructor.
unsafe fn raise(state: *mut lua_State, level: c_int, message: &CStr) -> ! {
    // SAFETY: a position, a text, one string of both.
    unsafe {
        ffi::luaL_where(state, level);
        ffi::lua_pushstring(state, message.as_ptr());
        ffi::lua_concat(state, 2);
        ffi::lua_error(state)
    }
}

/// A string argument's bytes. They stay while the argument is on the stack.
///
/// # Safety
/// The reference must not outlive the function call.
unsafe fn bytes<'a>(state: *mut lua_State, index: c_int) -> Option<&'a [u8]> {
    // SAFETY: for a string, lua_tolstring converts nothing and cannot raise.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TSTRING {
            return None;
        }
        let mut len = 0;
        let text = ffi::lua_tolstring(state, index, &mut len);
        Some(std::slice::from_raw_parts(text.cast::<u8>(), len))
    }
}

/// # Safety
/// For functions of `install` only.
unsafe fn integer(state: *mut lua_State, index: c_int) -> Option<i64> {
    let mut is_integer = 0;
    // SAFETY: converts without raising.
    let value = unsafe { ffi::lua_tointegerx(state, index, &mut is_integer) };
    (is_integer != 0).then_some(value as i64)
}

/// `call(peer, cmd, trace, data, timeout)`: the slot to wait on, or nil and the reason.
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: see `submit`.
    unsafe { submit(state, Kind::Call, c"cluster.call") }
}

/// `send(...)`: true, or as `call`.
unsafe extern "C-unwind" fn send(state: *mut lua_State) -> c_int {
    // SAFETY: see `submit`.
    unsafe { submit(state, Kind::Send, c"cluster.send") }
}

/// # Safety
/// For functions of `install` only.
unsafe fn submit(state: *mut lua_State, kind: Kind, name: &CStr) -> c_int {
    // SAFETY: the data is on the stack until this returns, the node's borrow ends before anything
    // that may raise, and the reason is pushed from where it is kept.
    unsafe {
        let Some(cmd) = integer(state, 2) else {
            return misfit(state, name, c"must return an integer command first", 2);
        };
        let Some(data) = bytes(state, 4) else {
            return misfit(state, name, c"must return a string second", 4);
        };
        let peer = Id::from_bits(integer(state, 1).unwrap_or(0) as u64);
        let timeout = integer(state, 5).unwrap_or(0).max(0) as u64;
        let id = trace::read(state, 3);
        let hold = hold(state);
        let submitted = match hold.node.try_borrow_mut() {
            Ok(mut node) => {
                let Node { rooms, reactor, tracer } = &mut *node;
                let message = Message { cmd: cmd as u32, trace: tracer.propagate(id), data };
                rooms.cluster.submit(reactor, kind, peer, &message, timeout)
            }
            Err(_) => Submitted::Refused("the loop is busy".to_owned().into()),
        };
        match submitted {
            Submitted::Sent => {
                ffi::lua_pushboolean(state, 1);
                1
            }
            Submitted::Waiting(request) => {
                ffi::lua_pushinteger(state, slot(request) as ffi::lua_Integer);
                1
            }
            Submitted::Refused(why) => {
                hold.text.clear();
                hold.text.push_str(why.as_str());
                drop(why);
                ffi::lua_pushnil(state);
                push_text(state, hold);
                2
            }
        }
    }
}

/// The longest reason that Lua is told; a name of full length fits several times.
const REASON_LIMIT: usize = 1024;

/// Pushes a copy of the hold's text: on 5.1 and LuaJIT a finaliser may run before Lua has taken
/// its own, and what it calls may write another text.
///
/// # Safety
/// For functions of `install` only. May raise; owns nothing.
unsafe fn push_text(state: *mut lua_State, hold: &Hold) {
    let mut copy = [0u8; REASON_LIMIT];
    let len = hold.text.len().min(REASON_LIMIT);
    copy[..len].copy_from_slice(&hold.text.as_bytes()[..len]);
    // SAFETY: the copy stays until this returns.
    unsafe { ffi::lua_pushlstring(state, copy.as_ptr().cast(), len) };
}

/// A marshal function has returned something else than it must: raises, naming what.
///
/// # Safety
/// `index` holds the culprit; the caller holds nothing with a destructor.
unsafe fn misfit(state: *mut lua_State, name: &CStr, wanted: &CStr, index: c_int) -> c_int {
    // SAFETY: only pushes strings and raises.
    unsafe {
        let given = ffi::lua_typename(state, ffi::lua_type(state, index));
        ffi::luaL_where(state, 2);
        ffi::lua_pushstring(state, name.as_ptr());
        ffi::lua_pushstring(state, c": marshal ".as_ptr());
        ffi::lua_pushstring(state, wanted.as_ptr());
        ffi::lua_pushstring(state, c", got ".as_ptr());
        ffi::lua_pushstring(state, given);
        match ffi::lua_type(state, index) {
            ffi::LUA_TNUMBER | ffi::LUA_TSTRING => {
                ffi::lua_pushstring(state, c" ".as_ptr());
                ffi::lua_pushvalue(state, index);
            }
            _ => {
                ffi::lua_pushstring(state, c"".as_ptr());
                ffi::lua_pushstring(state, c"".as_ptr());
            }
        }
        ffi::lua_concat(state, 8);
        ffi::lua_error(state)
    }
}

/// `respond(fd, session, data or nil)`: true, or nil and why the answer cannot be sent.
unsafe extern "C-unwind" fn respond(state: *mut lua_State) -> c_int {
    // SAFETY: as `submit`.
    unsafe {
        let link = Id::from_bits(integer(state, 1).unwrap_or(0) as u64);
        let session = integer(state, 2).unwrap_or(0) as u32;
        let answer = bytes(state, 3);
        let hold = hold(state);
        let refused = match hold.node.try_borrow_mut() {
            Ok(mut node) => {
                let Node { rooms, reactor, .. } = &mut *node;
                rooms.cluster.respond(reactor, link, session, answer).err()
            }
            Err(_) => None,
        };
        match refused {
            None => {
                ffi::lua_pushboolean(state, 1);
                1
            }
            Some(too_large) => {
                hold.text.clear();
                hold.text.push_str(&too_large.to_string());
                ffi::lua_pushnil(state);
                push_text(state, hold);
                2
            }
        }
    }
}

/// One event in the form in which it is pushed. It owns nothing: the bytes belong to the arena or
/// to the hold, and both keep them until the next event is asked for.
struct Parcel {
    kind: i64,
    numbers: [u64; 4],
    count: usize,
    trace: Option<u64>,
    bytes: Option<*const [u8]>,
}

/// `next()`: the next event's kind and parts, or nil when there is none left.
unsafe extern "C-unwind" fn next(state: *mut lua_State) -> c_int {
    // SAFETY: the parcel owns nothing and no borrow is alive while values are pushed. The bytes
    // it points to are copied by lua_pushlstring before Lua code (a finaliser) could run, except
    // on 5.1 and LuaJIT, where one that drove the loop itself is refused by the Lua side, and
    // one that ends it leaves them where they are.
    unsafe {
        let Some(parcel) = unpack(hold(state)) else {
            ffi::lua_pushnil(state);
            return 1;
        };
        ffi::lua_pushinteger(state, parcel.kind as ffi::lua_Integer);
        let mut pushed = 1;
        for number in parcel.numbers.iter().take(parcel.count) {
            ffi::lua_pushinteger(state, *number as ffi::lua_Integer);
            pushed += 1;
        }
        if let Some(id) = parcel.trace {
            trace::push(state, id);
            pushed += 1;
        }
        if let Some(bytes) = parcel.bytes {
            ffi::lua_pushlstring(state, bytes.cast(), bytes.len());
            pushed += 1;
        }
        pushed
    }
}

/// Takes the next event and lays it out.
fn unpack(hold: &mut Hold) -> Option<Parcel> {
    let mut node = hold.node.try_borrow_mut().ok()?;
    let event = hold.current.insert(node.take()?);
    let parcel = |kind, numbers: &[u64], trace, bytes| {
        let mut all = [0; 4];
        for (place, number) in all.iter_mut().zip(numbers) {
            *place = *number;
        }
        Some(Parcel { kind, numbers: all, count: numbers.len(), trace, bytes })
    };
    let place = |id: &Id| u64::from(slot(*id));
    match event {
        Event::Awake { timer } => parcel(AWAKE, &[place(timer)], None, None),
        Event::Alarm { timer } => parcel(ALARM, &[place(timer), timer.to_bits()], None, None),
        Event::Accepted { peer, fd, remote } => {
            hold.text = remote.to_string();
            let text: *const [u8] = hold.text.as_bytes();
            parcel(ACCEPTED, &[place(peer), peer.to_bits(), *fd], None, Some(text))
        }
        Event::Connected { peer, fd } => parcel(CONNECTED, &[place(peer), *fd], None, None),
        Event::Closed { peer, errno } => parcel(CLOSED, &[place(peer), *errno as u64], None, None),
        Event::Request { peer, fd, session, cmd, trace, data } => {
            let data: *const [u8] = node.reactor.bytes(*data);
            let numbers = [place(peer), *fd, u64::from(*session), u64::from(*cmd)];
            parcel(REQUEST, &numbers, Some(*trace), Some(data))
        }
        Event::Reply { request, data } => {
            let data: *const [u8] = node.reactor.bytes(*data);
            parcel(REPLY, &[place(request)], None, Some(data))
        }
        Event::Done { request } => parcel(DONE, &[place(request)], None, None),
        Event::Failed { request, why } => {
            let text: *const [u8] = why.as_str().as_bytes();
            parcel(FAILED, &[place(request)], None, Some(text))
        }
        Event::Log { text } => {
            let text: *const [u8] = text.as_bytes();
            parcel(LOG, &[], None, Some(text))
        }
    }
}

/// `trace_spawn()`: a new trace id.
unsafe extern "C-unwind" fn trace_spawn(state: *mut lua_State) -> c_int {
    // SAFETY: the borrow ends before the push.
    unsafe {
        let id = match hold(state).node.try_borrow_mut() {
            Ok(mut node) => node.tracer.spawn(crate::lua::functions::unix_seconds()),
            Err(_) => 0,
        };
        trace::push(state, id);
    }
    1
}

/// `trace_propagate(id)`: the id as the next node is to see it.
unsafe extern "C-unwind" fn trace_propagate(state: *mut lua_State) -> c_int {
    // SAFETY: the borrow ends before the push.
    unsafe {
        let id = trace::read(state, 1);
        let id = match hold(state).node.try_borrow() {
            Ok(node) => node.tracer.propagate(id),
            Err(_) => id,
        };
        trace::push(state, id);
    }
    1
}

/// `trace_text(id)`: 16 hexadecimal digits.
unsafe extern "C-unwind" fn trace_text(state: *mut lua_State) -> c_int {
    // SAFETY: the digits stay until this returns. They are not the hold's text, because a finaliser
    // that logs may run while that is handed over.
    unsafe {
        let digits = trace::digits(trace::read(state, 1));
        ffi::lua_pushlstring(state, digits.as_ptr().cast(), digits.len());
    }
    1
}
