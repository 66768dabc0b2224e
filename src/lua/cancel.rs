//! Taking back what a cancelled task waits for.

use std::rc::Rc;

use mlua::{Lua, Result, Table};

use super::Shared;

/// Adds the functions to the native table. Each takes the slot that the task was given to wait on;
/// Lua counts slots from 1.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    let shared = Rc::clone(node);
    let withdraw = move |_: &Lua, slot: u32| {
        let mut node = shared.borrow_mut();
        let node = &mut *node;
        node.rooms.cluster.withdraw(&mut node.reactor, slot.wrapping_sub(1));
        Ok(())
    };
    core.raw_set("withdraw", lua.create_function(withdraw)?)?;

    let shared = Rc::clone(node);
    let withdraw_lookup = move |_: &Lua, slot: u32| {
        let mut node = shared.borrow_mut();
        let node = &mut *node;
        node.rooms.lookups.withdraw(&mut node.reactor, slot.wrapping_sub(1));
        Ok(())
    };
    core.raw_set("withdraw_lookup", lua.create_function(withdraw_lookup)?)?;

    let shared = Rc::clone(node);
    let cancel_sleep = move |_: &Lua, slot: u32| {
        shared.borrow_mut().reactor.cancel_sleep(slot.wrapping_sub(1));
        Ok(())
    };
    core.raw_set("cancel_sleep", lua.create_function(cancel_sleep)?)
}
