//! Handing over what a turn brought: `next`, through the raw C interface.

use std::ffi::c_int;

use mlua::ffi::{self, lua_State};

use crate::reactor::event::Event;

use super::parcel::{self, Parcel};
use super::raw::{Function, Hold, hold};
use super::resume::{self, Course};

/// What this file adds to the native table.
pub(super) const FUNCTIONS: [Function; 2] = [(c"next", next), (c"forgo", forgo)];

/// `next(waits, states, scheduler, books, pool)`: the next event's kind and parts, or nil when there is
/// none left. Those whose task is known go to it at once, see `resume`, and are not returned.
unsafe extern "C-unwind" fn next(state: *mut lua_State) -> c_int {
    // SAFETY: the parcel owns nothing, and no borrow is alive while values are pushed or tasks run.
    unsafe {
        let hold: *mut Hold = hold(state);
        loop {
            let Some(event) = unpack(&mut *hold) else {
                ffi::lua_pushnil(state);
                return 1;
            };
            (*hold).pushing = true;
            let course = match event.kind {
                parcel::REPLY
                | parcel::DONE
                | parcel::FAILED
                | parcel::AWAKE
                | parcel::STREAM_READY
                | parcel::STREAM_DIALED => resume::wake(state, hold, &event),
                parcel::REQUEST => resume::begin(state, hold, &event),
                _ => Course::Script,
            };
            let (kind, parts) = match course {
                Course::Next => continue,
                Course::Ready => (parcel::READY, 0),
                Course::Look => (parcel::LOOK, 3),
                Course::Feed => {
                    put_back(&mut *hold);
                    (parcel::FEED, 0)
                }
                Course::Script => {
                    ffi::lua_pushinteger(state, event.kind as ffi::lua_Integer);
                    let parts = event.push(state, 0);
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

/// `forgo()`: there is no memory for a coroutine. The request that one was wanted for is lost.
unsafe extern "C-unwind" fn forgo(state: *mut lua_State) -> c_int {
    // SAFETY: the borrow ends before this returns; nothing is pushed.
    unsafe {
        if let Ok(mut node) = hold(state).node.try_borrow_mut()
            && let Some(event) = node.take()
        {
            match event {
                Event::Request { .. } => drop(node.lose(event)),
                _ => node.put_back(event),
            }
        }
    }
    0
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
    Some(parcel::lay_out(event, &node, &mut hold.text))
}
