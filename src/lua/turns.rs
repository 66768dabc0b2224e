//! Turns of the loop, and its end, through mlua's safe interface.

use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, Result, Table};

use super::Shared;
use super::time::milliseconds;

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // turn(milliseconds or nil): true, or nil and why the loop cannot run here.
    let shared = Rc::clone(node);
    let turn = move |_: &Lua, ms: Option<f64>| {
        let wait = ms.map(|ms| Duration::from_millis(milliseconds(ms)));
        let outcome = shared.borrow_mut().turn(wait);
        Ok(match outcome {
            Ok(()) => (Some(true), None),
            Err(refusal) => (None, Some(refusal.to_string())),
        })
    };
    core.raw_set("turn", lua.create_function(turn)?)?;

    let shared = Rc::clone(node);
    core.raw_set("alive", lua.create_function(move |_, ()| Ok(shared.borrow().is_alive()))?)?;

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
