//! What a host with a loop of its own asks for.

use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, Result, Table};

use super::Shared;

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // fd(): a descriptor to poll, or nil and why there is none.
    let shared = Rc::clone(node);
    let fd = move |_: &Lua, ()| {
        let outcome = shared.borrow_mut().reactor.descriptor();
        Ok(match outcome {
            Ok(fd) => (Some(fd), None),
            Err(refusal) => (None, Some(refusal.to_string())),
        })
    };
    core.raw_set("fd", lua.create_function(fd)?)?;

    // timeout(): milliseconds until the next turn has something to do, or nil.
    let shared = Rc::clone(node);
    let timeout = move |_: &Lua, ()| Ok(shared.borrow().reactor.timeout().map(whole_milliseconds));
    core.raw_set("timeout", lua.create_function(timeout)?)?;

    // settle(ready): a turn is over and its events are taken; `ready`: there are tasks to run.
    let shared = Rc::clone(node);
    let settle = move |_: &Lua, ready: bool| {
        shared.borrow_mut().settle(ready);
        Ok(())
    };
    core.raw_set("settle", lua.create_function(settle)?)?;

    // ring(): there are tasks to run again.
    let shared = Rc::clone(node);
    let ring = move |_: &Lua, ()| {
        shared.borrow_mut().reactor.ring();
        Ok(())
    };
    core.raw_set("ring", lua.create_function(ring)?)
}

/// Rounded up: who waits that long is not early.
fn whole_milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
