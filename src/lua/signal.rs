//! Signals for `silly.signal`, the launcher and the loop.

use std::rc::Rc;

use mlua::{Lua, Result, Table};

use crate::reactor::Refusal;
use crate::signals::NAMES;

use super::Shared;

/// Adds `signals`, numbers by name, and the functions.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    let numbers = lua.create_table()?;
    for (name, number) in NAMES {
        numbers.raw_set(name, number)?;
    }
    core.raw_set("signals", numbers)?;

    // watch(number, last): true; or nil, message, and whether no process can watch it. With `last`
    // the signal ends the process.
    let shared = Rc::clone(node);
    let watch = move |_: &Lua, (number, last): (i32, bool)| {
        let outcome = shared.borrow_mut().reactor.watch(number, last);
        Ok(match outcome {
            Ok(()) => (Some(true), None, false),
            Err(refusal) => (None, Some(refusal.to_string()), is_for_ever(&refusal)),
        })
    };
    core.raw_set("watch", lua.create_function(watch)?)?;

    let shared = Rc::clone(node);
    let unwatch = move |_: &Lua, number: i32| {
        shared.borrow_mut().reactor.unwatch(number);
        Ok(())
    };
    core.raw_set("unwatch", lua.create_function(unwatch)?)?;

    // interruptible(true or false): our own loop runs, so SIGINT and SIGTERM are ours, or it has
    // ended.
    let shared = Rc::clone(node);
    let interruptible = move |_: &Lua, on: bool| {
        shared.borrow_mut().reactor.set_running(on);
        Ok(())
    };
    core.raw_set("interruptible", lua.create_function(interruptible)?)
}

/// Nobody can catch this signal, whatever else changes.
fn is_for_ever(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Unwatchable(error) if error.raw_os_error() == Some(libc::EINVAL))
}
