//! What scripts call seldom, through mlua's safe interface. Expected failures are nil and a
//! message; the Lua files raise where a script has made a mistake.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mlua::{Lua, LuaString, Result, Table};

use crate::cluster::Submitted;
use crate::interrupt::DefaultInterrupt;
use crate::net::address::{Address, parse_listen};
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
fn milliseconds(number: f64) -> u64 {
    number.ceil() as u64
}

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    core.raw_set("pid", std::process::id())?;
    time(lua, core, node)?;
    turns(lua, core, node)?;
    sockets(lua, core, node)
}

fn time(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    core.raw_set("now", lua.create_function(|_, ()| Ok(since_epoch().as_millis() as u64))?)?;

    let shared = Rc::clone(node);
    let monotonic = move |_: &Lua, ()| Ok(shared.borrow().reactor.now());
    core.raw_set("monotonic", lua.create_function(monotonic)?)?;

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

fn turns(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
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
    core.raw_set("shutdown", lua.create_function(shutdown)?)?;

    // interruptible(true or false): lets SIGINT end the process, or puts back what was set.
    let mut guard: Option<DefaultInterrupt> = None;
    let interruptible = move |_: &Lua, on: bool| {
        drop(guard.take());
        guard = on.then(DefaultInterrupt::install);
        Ok(())
    };
    core.raw_set("interruptible", lua.create_function_mut(interruptible)?)
}

fn sockets(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // listen(address, backlog): id and bound address; or nil, message, and whether the address
    // itself is malformed.
    let shared = Rc::clone(node);
    let listen = move |_: &Lua, (address, backlog): (LuaString, u32)| {
        let address = match parse_listen(&address.to_string_lossy()) {
            Ok(address) => address,
            Err(error) => return Ok((None, error.to_string(), true)),
        };
        let mut node = shared.borrow_mut();
        let node = &mut *node;
        Ok(match node.rooms.cluster.listen(&mut node.reactor, address, backlog) {
            Ok(listening) => (Some(listening.id.to_bits()), listening.local.to_string(), false),
            Err(why) => (None, why, false),
        })
    };
    core.raw_set("listen", lua.create_function(listen)?)?;

    // open(address): a handle's id and slot, without dialling; or nil and what is malformed.
    let shared = Rc::clone(node);
    let open = move |_: &Lua, address: LuaString| {
        Ok(match address.to_string_lossy().parse::<Address>() {
            Ok(address) => {
                let peer = shared.borrow_mut().rooms.cluster.open(address);
                (Some(peer.to_bits()), Some(slot(peer)), None)
            }
            Err(error) => (None, None, Some(error.to_string())),
        })
    };
    core.raw_set("open", lua.create_function(open)?)?;

    // join(peer, timeout): the slot to wait on for the handle's dial, or nil when there is none.
    let shared = Rc::clone(node);
    let join = move |_: &Lua, (peer, timeout): (u64, f64)| {
        let mut node = shared.borrow_mut();
        let node = &mut *node;
        let timeout = milliseconds(timeout);
        Ok(match node.rooms.cluster.join(&mut node.reactor, Id::from_bits(peer), timeout) {
            Submitted::Waiting(request) => Some(slot(request)),
            _ => None,
        })
    };
    core.raw_set("join", lua.create_function(join)?)?;

    let shared = Rc::clone(node);
    let dialing =
        move |_: &Lua, peer: u64| Ok(shared.borrow().rooms.cluster.is_dialing(Id::from_bits(peer)));
    core.raw_set("dialing", lua.create_function(dialing)?)?;

    // close_peer(id): its slot. In a forked child nothing is closed, neither here nor below, since
    // that would take the parent's socket out of the poll set both share.
    let shared = Rc::clone(node);
    let close_peer = move |_: &Lua, peer: u64| {
        let peer = Id::from_bits(peer);
        let mut node = shared.borrow_mut();
        let node = &mut *node;
        if !node.reactor.is_forked() {
            node.rooms.cluster.close_peer(&mut node.reactor, peer);
        }
        Ok(slot(peer))
    };
    core.raw_set("close_peer", lua.create_function(close_peer)?)?;

    let shared = Rc::clone(node);
    let close_listener = move |_: &Lua, listener: u64| {
        let mut node = shared.borrow_mut();
        if !node.reactor.is_forked() {
            node.rooms.cluster.close_listener(Id::from_bits(listener));
        }
        Ok(())
    };
    core.raw_set("close_listener", lua.create_function(close_listener)?)
}
