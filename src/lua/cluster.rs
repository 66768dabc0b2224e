//! What scripts ask of the cluster seldom, through mlua's safe interface. Expected failures are nil
//! and a message; the Lua files raise where a script has made a mistake.

use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, LuaString, Result, Table};

use crate::cluster::limits::Limits;
use crate::cluster::{Present, Submitted, Terms, Totals};
use crate::net::address::{Address, parse_listen};
use crate::net::listener::OWNER_ONLY;
use crate::node::Node;
use crate::registry::Id;
use crate::wire::Generation;

use super::time::milliseconds;
use super::{Shared, slot, tls};

/// The generation of a number that the Lua files have checked.
fn generation(number: u8) -> Generation {
    Generation::from_number(number).unwrap_or_default()
}

/// Adds the functions to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    // limit{keepalive = seconds or nil, highwater =, maxcalls =, maxanswers =, maxrequests =,
    // hardlimit =, softlimit =, maxconnections =, maxperhost =, maxaccepts =, maxhandshakes =,
    // handshake = milliseconds}
    let shared = Rc::clone(node);
    let limit = move |_: &Lua, bounds: Table| {
        let keepalive: Option<u64> = bounds.raw_get("keepalive")?;
        let limits = Limits {
            keepalive: keepalive.map(Duration::from_secs),
            highwater: bounds.raw_get("highwater")?,
            calls: bounds.raw_get("maxcalls")?,
            answers: bounds.raw_get("maxanswers")?,
            requests: bounds.raw_get("maxrequests")?,
            hardlimit: bounds.raw_get("hardlimit")?,
            softlimit: bounds.raw_get("softlimit")?,
            connections: bounds.raw_get("maxconnections")?,
            per_host: bounds.raw_get("maxperhost")?,
            accepts: bounds.raw_get("maxaccepts")?,
            handshakes: bounds.raw_get("maxhandshakes")?,
            handshake: Duration::from_millis(bounds.raw_get("handshake")?),
        };
        shared.borrow_mut().rooms.cluster.set_limits(limits);
        Ok(())
    };
    core.raw_set("limit", lua.create_function(limit)?)?;

    // listen(address, backlog, mode, wire, tls): id and bound address; or nil, message, and whether the address
    // itself is malformed.
    let shared = Rc::clone(node);
    type Listen = (LuaString, u32, Option<u32>, u8, tls::Given);
    let listen = move |_: &Lua, (address, backlog, mode, wire, tls): Listen| {
        let endpoint = match parse_listen(&address.to_string_lossy()) {
            Ok(endpoint) => endpoint,
            Err(error) => return Ok((None, error.to_string(), true)),
        };
        let mode = mode.unwrap_or(OWNER_ONLY);
        let tls = tls::credentials(&tls);
        let terms = Terms { backlog, mode, generation: generation(wire), tls };
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        Ok(match rooms.cluster.listen(reactor, &endpoint, terms) {
            Ok(listening) => (Some(listening.id.to_bits()), listening.local.to_string(), false),
            Err(why) => (None, why, false),
        })
    };
    core.raw_set("listen", lua.create_function(listen)?)?;

    // open(address, wire, tls): a handle's id and slot, without dialling; or nil and what is malformed.
    let shared = Rc::clone(node);
    let open = move |_: &Lua, (address, wire, tls): (LuaString, u8, tls::Given)| {
        let tls = tls::credentials(&tls);
        Ok(match address.to_string_lossy().parse::<Address>() {
            Ok(address) => {
                let peer = shared.borrow_mut().rooms.cluster.open(address, generation(wire), tls);
                (Some(peer.to_bits()), Some(slot(peer)), None)
            }
            Err(error) => (None, None, Some(error.to_string())),
        })
    };
    core.raw_set("open", lua.create_function(open)?)?;

    // malformed(address): what is wrong with it, if anything.
    let malformed = |_: &Lua, address: LuaString| {
        Ok(address.to_string_lossy().parse::<Address>().err().map(|error| error.to_string()))
    };
    core.raw_set("malformed", lua.create_function(malformed)?)?;

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
    core.raw_set("close_listener", lua.create_function(close_listener)?)?;

    // drain(timeout, by_handler): the slot to wait on, and the id for end_drain.
    let shared = Rc::clone(node);
    let drain = move |_: &Lua, (timeout, by_handler): (f64, bool)| {
        let mut node = shared.borrow_mut();
        let node = &mut *node;
        let timeout = milliseconds(timeout);
        let drain = node.rooms.cluster.drain(&mut node.reactor, timeout, by_handler);
        Ok((slot(drain), drain.to_bits()))
    };
    core.raw_set("drain", lua.create_function(drain)?)?;

    let shared = Rc::clone(node);
    let end_drain = move |_: &Lua, drain: u64| {
        shared.borrow_mut().rooms.cluster.end_drain(Id::from_bits(drain));
        Ok(())
    };
    core.raw_set("end_drain", lua.create_function(end_drain)?)?;

    let shared = Rc::clone(node);
    core.raw_set("stats", lua.create_function(move |lua, ()| stats(lua, &shared))?)
}

/// A table with everything that the cluster counts.
fn stats(lua: &Lua, node: &Shared) -> Result<Table> {
    let (totals, present) = node.borrow().rooms.cluster.stats();
    let Totals {
        accepts,
        connects,
        reconnects,
        requests_sent,
        requests_received,
        responses_sent,
        responses_received,
        bytes_sent,
        bytes_received,
        timeouts,
        drops,
        strays,
        refused_connections,
        failed_handshakes,
        refused_frames,
        overloads,
    } = totals;
    let Present {
        connections_in,
        connections_out,
        listeners,
        handshakes,
        calls_in_flight,
        handlers,
        bytes_queued,
    } = present;
    lua.create_table_from([
        ("accepts", accepts),
        ("connects", connects),
        ("reconnects", reconnects),
        ("requests_sent", requests_sent),
        ("requests_received", requests_received),
        ("responses_sent", responses_sent),
        ("responses_received", responses_received),
        ("bytes_sent", bytes_sent),
        ("bytes_received", bytes_received),
        ("timeouts", timeouts),
        ("drops", drops),
        ("strays", strays),
        ("refused_connections", refused_connections),
        ("failed_handshakes", failed_handshakes),
        ("refused_frames", refused_frames),
        ("overloads", overloads),
        ("connections_in", connections_in),
        ("connections_out", connections_out),
        ("listeners", listeners),
        ("handshakes", handshakes),
        ("calls_in_flight", calls_in_flight),
        ("handlers", handlers),
        ("bytes_queued", bytes_queued),
    ])
}
