//! Handing over what a turn brought: `next`, through the raw C interface.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Result, Table};

use crate::reactor::event::Event;
use crate::registry::Id;

use super::raw::{Function, Hold, hold};
use super::resume::{self, Course};
use super::{slot, trace};

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
const LOOKED_UP: i64 = 11;
const STREAM_ACCEPTED: i64 = 12;
const STREAM_READY: i64 = 13;
const STREAM_DIALED: i64 = 14;
const SIGNAL: i64 = 15;
// No events, but what Lua is to do before it asks for the next one: run what is ready, see what a task
// has done other than to wait, make another coroutine for the pool.
const READY: i64 = 16;
const LOOK: i64 = 17;
const FEED: i64 = 18;

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
    ("FEED", FEED),
];

/// What this file adds to the native table.
pub(super) const FUNCTIONS: [Function; 1] = [(c"next", next)];

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

/// `next(waits, states, scheduler, books, pool)`: the next event's kind and parts, or nil when there is
/// none left. Those whose task is known go to it at once, see `resume`, and are not returned.
unsafe extern "C-unwind" fn next(state: *mut lua_State) -> c_int {
    // SAFETY: the parcel owns nothing, and no borrow is alive while values are pushed or tasks run.
    unsafe {
        let hold: *mut Hold = hold(state);
        loop {
            let Some(parcel) = unpack(&mut *hold) else {
                ffi::lua_pushnil(state);
                return 1;
            };
            (*hold).pushing = true;
            let course = match parcel.kind {
                REPLY | DONE | FAILED | AWAKE | STREAM_READY | STREAM_DIALED => {
                    resume::wake(state, hold, &parcel)
                }
                REQUEST => resume::begin(state, hold, &parcel),
                _ => Course::Script,
            };
            let (kind, parts) = match course {
                Course::Next => continue,
                Course::Ready => (READY, 0),
                Course::Look => (LOOK, 3),
                Course::Feed => {
                    put_back(&mut *hold);
                    (FEED, 0)
                }
                Course::Script => {
                    ffi::lua_pushinteger(state, parcel.kind as ffi::lua_Integer);
                    let parts = parcel.push(state, 0);
                    (*hold).pushing = false;
                    return 1 + parts;
                }
            };
            ffi::lua_pushinteger(state, kind as ffi::lua_Integer);
            ffi::lua_insert(state, -1 - parts);
            return 1 + parts;
        }
    }
}

/// Gives the event in hand back, to be taken again.
fn put_back(hold: &mut Hold) {
    hold.pushing = false;
    if let Some(event) = hold.current.take()
        && let Ok(mut node) = hold.node.try_borrow_mut()
    {
        node.put_back(event);
    }
}

/// Takes the next event and lays it out. What is left of one that Lua had no memory for comes first.
fn unpack(hold: &mut Hold) -> Option<Parcel> {
    let mut node = hold.node.try_borrow_mut().ok()?;
    let lost = hold.current.take().filter(|_| std::mem::take(&mut hold.pushing));
    let next = lost.and_then(|lost| node.lose(lost)).or_else(|| node.take())?;
    let event = hold.current.insert(next);
    let parcel = |kind, numbers: &[u64], middle, bytes| {
        let mut all = [0; 4];
        for (place, number) in all.iter_mut().zip(numbers) {
            *place = *number;
        }
        Some(Parcel { kind, numbers: all, count: numbers.len(), middle, bytes })
    };
    let place = |id: &Id| u64::from(slot(*id));
    match event {
        Event::Awake { timer } => parcel(AWAKE, &[place(timer)], Middle::Nothing, None),
        Event::Alarm { timer } => {
            parcel(ALARM, &[place(timer), timer.to_bits()], Middle::Nothing, None)
        }
        Event::Accepted { peer, fd, remote } => {
            hold.text = remote.to_string();
            let text: *const [u8] = hold.text.as_bytes();
            parcel(ACCEPTED, &[place(peer), peer.to_bits(), *fd], Middle::Nothing, Some(text))
        }
        Event::Connected { peer, fd, remote } => {
            hold.text = remote.to_string();
            let text: *const [u8] = hold.text.as_bytes();
            parcel(CONNECTED, &[place(peer), *fd], Middle::Nothing, Some(text))
        }
        Event::Closed { peer, errno } => {
            parcel(CLOSED, &[place(peer), *errno as u64], Middle::Nothing, None)
        }
        Event::Request { peer, fd, session, cmd, trace, data } => {
            let data: *const [u8] = node.reactor.bytes(*data);
            let numbers = [place(peer), *fd, u64::from(*session), u64::from(*cmd)];
            parcel(REQUEST, &numbers, Middle::Trace(*trace), Some(data))
        }
        Event::Reply { request, data } => {
            let data: *const [u8] = node.reactor.bytes(*data);
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
        Event::Log { text } => {
            let text: *const [u8] = text.as_bytes();
            parcel(LOG, &[], Middle::Nothing, Some(text))
        }
        Event::Signal { number } => parcel(SIGNAL, &[*number as u64], Middle::Nothing, None),
    }
}
