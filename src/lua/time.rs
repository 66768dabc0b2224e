//! Clocks, timers and the trace ids' node, through mlua's safe interface.

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mlua::{Lua, Result, Table};

use crate::registry::Id;

use super::{Shared, slot};

/// Wall-clock seconds.
pub(super) fn unix_seconds() -> u64 {
    since_epoch().as_secs()
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Milliseconds of a script: a fraction counts as the next whole one, so that nothing is early,
/// and what is negative or no number at all counts as none.
pub(super) fn milliseconds(number: f64) -> u64 {
    number.ceil() as u64
}

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    core.raw_set("now", lua.create_function(|_, ()| Ok(since_epoch().as_millis() as u64))?)?;

    let shared = Rc::clone(node);
    let monotonic = move |_: &Lua, ()| Ok(shared.borrow().reactor.now());
    core.raw_set("monotonic", lua.create_function(monotonic)?)?;

    // For whoever measures what takes less than a millisecond.
    let epoch = Instant::now();
    let microseconds = move |_: &Lua, ()| Ok(epoch.elapsed().as_micros() as u64);
    core.raw_set("microseconds", lua.create_function(microseconds)?)?;

    let shared = Rc::clone(node);
    let sleep = move |_: &Lua, ms: f64| {
        Ok(slot(shared.borrow_mut().reactor.set_timer(milliseconds(ms), false)))
    };
    core.raw_set("sleep", lua.create_function(sleep)?)?;

    let shared = Rc::clone(node);
    let after = move |_: &Lua, ms: f64| {
        let timer = shared.borrow_mut().reactor.set_timer(milliseconds(ms), true);
        Ok((slot(timer), timer.to_bits()))
    };
    core.raw_set("after", lua.create_function(after)?)?;

    // cancel(session): the timer's slot, or nil when there is none.
    let shared = Rc::clone(node);
    let cancel = move |_: &Lua, session: f64| {
        let timer = Id::from_bits(session as u64);
        Ok(shared.borrow_mut().reactor.cancel_timer(timer).then(|| slot(timer)))
    };
    core.raw_set("cancel", lua.create_function(cancel)?)?;

    let shared = Rc::clone(node);
    let trace_node = move |_: &Lua, number: i64| {
        shared.borrow_mut().tracer.set_node(number as u64);
        Ok(())
    };
    core.raw_set("trace_node", lua.create_function(trace_node)?)
}
