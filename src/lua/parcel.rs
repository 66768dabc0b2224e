//! Events in the form in which Lua gets them.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Result, Table};

use crate::node::Node;
use crate::reactor::event::{Event, Severity};
use crate::registry::Id;

use super::{slot, trace};

/// The kinds of events as Lua sees them, by name in `core.events`.
pub(super) const AWAKE: i64 = 1;
const ALARM: i64 = 2;
const ACCEPTED: i64 = 3;
const CONNECTED: i64 = 4;
const CLOSED: i64 = 5;
pub(super) const REQUEST: i64 = 6;
pub(super) const REPLY: i64 = 7;
pub(super) const DONE: i64 = 8;
pub(super) const FAILED: i64 = 9;
const LOG: i64 = 10;
const LOOKED_UP: i64 = 11;
const STREAM_ACCEPTED: i64 = 12;
pub(super) const STREAM_READY: i64 = 13;
pub(super) const STREAM_DIALED: i64 = 14;
const SIGNAL: i64 = 15;
// No events, but what Lua is to do before it asks for the next one: run what is ready, see what a task
// has done other than to wait or to return.
pub(super) const READY: i64 = 16;
pub(super) const LOOK: i64 = 17;
/// Comes with the feature `etcd` only; its number is its own everywhere.
const DISCOVERED: i64 = 18;

const NAMES: [(&str, i64); 18] = [
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
    ("LOOKED_UP", LOOKED_UP),
    ("STREAM_ACCEPTED", STREAM_ACCEPTED),
    ("STREAM_READY", STREAM_READY),
    ("STREAM_DIALED", STREAM_DIALED),
    ("SIGNAL", SIGNAL),
    ("READY", READY),
    ("LOOK", LOOK),
    ("DISCOVERED", DISCOVERED),
];

/// Adds the kinds of events to the native table.
pub(super) fn register(lua: &Lua, core: &Table) -> Result<()> {
    let events = lua.create_table()?;
    for (name, kind) in NAMES {
        events.raw_set(name, kind)?;
    }
    core.raw_set("events", events)
}

/// One event in the form in which it is pushed. It owns nothing: the bytes belong to the arena or
/// to the hold, and both keep them until the next event is asked for.
pub(super) struct Parcel {
    pub(super) kind: i64,
    pub(super) numbers: [u64; 4],
    count: usize,
    middle: Middle,
    bytes: Option<*const [u8]>,
}

impl Parcel {
    /// Pushes the parts from number `first` on, and says how many.
    ///
    /// # Safety
    /// The state has room for them. May raise; the caller owns nothing.
    pub(super) unsafe fn push(&self, state: *mut lua_State, first: usize) -> c_int {
        let mut pushed = 0;
        // SAFETY: as the caller promises. The bytes are copied by lua_pushlstring before Lua code (a
        // finaliser) could run, except on 5.1 and LuaJIT, where one that drove the loop itself is
        // refused by the Lua side, and one that ends it leaves them where they are.
        unsafe {
            for number in self.numbers.iter().take(self.count).skip(first) {
                ffi::lua_pushinteger(state, *number as ffi::lua_Integer);
                pushed += 1;
            }
            match self.middle {
                Middle::Nothing => {}
                Middle::Trace(id) => trace::push(state, id),
                Middle::True => ffi::lua_pushboolean(state, 1),
                Middle::Nil => ffi::lua_pushnil(state),
            }
            pushed += c_int::from(!matches!(self.middle, Middle::Nothing));
            if let Some(bytes) = self.bytes {
                ffi::lua_pushlstring(state, bytes.cast(), bytes.len());
                pushed += 1;
            }
        }
        pushed
    }
}

/// What stands between the numbers and the bytes.
#[derive(Clone, Copy)]
enum Middle {
    Nothing,
    Trace(u64),
    /// The outcome of a wait that brings no bytes.
    True,
    /// The outcome of one that failed: the bytes say why.
    Nil,
}

/// Lays an event out. Its text and its bytes are where they are: in the event, in the node's arena, or in
/// `text`, which holds what is made on the way.
pub(super) fn lay_out(event: &Event, node: &Node, text: &mut String) -> Parcel {
    let parcel = |kind, numbers: &[u64], middle, bytes| {
        let mut all = [0; 4];
        for (place, number) in all.iter_mut().zip(numbers) {
            *place = *number;
        }
        Parcel { kind, numbers: all, count: numbers.len(), middle, bytes }
    };
    let place = |id: &Id| u64::from(slot(*id));
    match event {
        Event::Awake { timer } => parcel(AWAKE, &[place(timer)], Middle::Nothing, None),
        Event::Alarm { timer } => {
            parcel(ALARM, &[place(timer), timer.to_bits()], Middle::Nothing, None)
        }
        Event::Accepted { peer, fd, remote } => {
            *text = remote.to_string();
            let text: *const [u8] = text.as_bytes();
            parcel(ACCEPTED, &[place(peer), peer.to_bits(), *fd], Middle::Nothing, Some(text))
        }
        Event::Connected { peer, fd, remote } => {
            *text = remote.to_string();
            let text: *const [u8] = text.as_bytes();
            parcel(CONNECTED, &[place(peer), *fd], Middle::Nothing, Some(text))
        }
        Event::Closed { peer, errno } => {
            parcel(CLOSED, &[place(peer), *errno as u64], Middle::Nothing, None)
        }
        Event::Request { peer, fd, session, cmd, trace, data } => {
            let data: *const [u8] = node.reactor.arena.get(*data);
            let numbers = [place(peer), *fd, u64::from(*session), u64::from(*cmd)];
            parcel(REQUEST, &numbers, Middle::Trace(*trace), Some(data))
        }
        Event::Reply { request, data } => {
            let data: *const [u8] = node.reactor.arena.get(*data);
            parcel(REPLY, &[place(request)], Middle::Nothing, Some(data))
        }
        Event::Done { request } => parcel(DONE, &[place(request)], Middle::True, None),
        Event::Failed { request, why } => {
            let text: *const [u8] = why.as_str().as_bytes();
            parcel(FAILED, &[place(request)], Middle::Nil, Some(text))
        }
        Event::LookedUp { lookup } => parcel(LOOKED_UP, &[place(lookup)], Middle::Nothing, None),
        Event::StreamAccepted { door, stream } => {
            parcel(STREAM_ACCEPTED, &[door.to_bits(), stream.to_bits()], Middle::Nothing, None)
        }
        Event::StreamReady { stream } => {
            parcel(STREAM_READY, &[place(stream)], Middle::Nothing, None)
        }
        Event::StreamDialed { attempt } => {
            parcel(STREAM_DIALED, &[place(attempt)], Middle::Nothing, None)
        }
        #[cfg(feature = "etcd")]
        Event::Discovered { thing } => parcel(DISCOVERED, &[place(thing)], Middle::Nothing, None),
        Event::Log { severity, text } => {
            let text: *const [u8] = text.as_bytes();
            let level = match severity {
                Severity::Warning => 2,
                Severity::Error => 3,
            };
            parcel(LOG, &[level], Middle::Nothing, Some(text))
        }
        Event::Signal { number } => parcel(SIGNAL, &[*number as u64], Middle::Nothing, None),
    }
}
