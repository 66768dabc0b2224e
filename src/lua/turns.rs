//! Turns of the loop, through the raw C interface, since a call that waits alone costs two of them; and
//! its end, through mlua's safe one.

use std::ffi::c_int;
use std::rc::Rc;
use std::time::Duration;

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Result, Table};

use super::Shared;
use super::raw::{Function, Hold, hold, push_text};
use super::time::milliseconds;

/// What this file adds to the native table besides.
pub(super) const FUNCTIONS: [Function; 2] = [(c"turn", turn), (c"alive", alive)];

/// Adds the function to the native table that needs no speed.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // shutdown(milliseconds): closes everything and flushes within the limit.
    let shared = Rc::clone(node);
    let shutdown = move |_: &Lua, ms: f64| {
        let limit = Duration::from_millis(milliseconds(ms));
        let outcome = shared.borrow_mut().shutdown(limit);
        Ok(match outcome {
            Ok(()) => (Some(true), None),
            Err(refusal) => (None, Some(refusal.to_string())),
        })
    };
    core.raw_set("shutdown", lua.create_function(shutdown)?)
}

/// `turn(milliseconds or nil)`: nothing, or why the loop cannot run here.
unsafe extern "C-unwind" fn turn(state: *mut lua_State) -> c_int {
    // SAFETY: the node's borrow ends before anything that may raise, and the reason is pushed from
    // where it is kept.
    unsafe {
        let wait = if ffi::lua_isnoneornil(state, 1) != 0 {
            None
        } else {
            let mut is_number = 0;
            let ms = ffi::lua_tonumberx(state, 1, &mut is_number);
            Some(Duration::from_millis(milliseconds(ms)))
        };
        let hold = hold(state);
        let refused = match hold.node.try_borrow_mut() {
            Ok(mut node) => node.turn(wait).err().map(|refusal| refusal.to_string()),
            Err(_) => Some("the loop is busy".to_owned()),
        };
        let Some(why) = refused else { return 0 };
        hold.text.clear();
        hold.text.push_str(&why);
        drop(why);
        push_text(state, hold);
        1
    }
}

/// One more turn, for as long as it takes; false when nothing can happen any more, or the loop cannot
/// run here.
pub(super) fn go_round(hold: &Hold) -> bool {
    match hold.node.try_borrow_mut() {
        Ok(mut node) => node.is_alive() && node.turn(None).is_ok(),
        Err(_) => false,
    }
}

/// `alive()`: whether something can still happen without anybody doing anything.
unsafe extern "C-unwind" fn alive(state: *mut lua_State) -> c_int {
    // SAFETY: the borrow ends before the push.
    unsafe {
        let alive = hold(state).node.try_borrow().is_ok_and(|node| node.is_alive());
        ffi::lua_pushboolean(state, c_int::from(alive));
    }
    1
}
