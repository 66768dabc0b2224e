//! Plain TCP, but for reading and writing, through mlua's safe interface: the sub-table `tcp`.

use std::net::SocketAddr;
use std::rc::Rc;

use mlua::{Lua, LuaString, Result, Table};

use crate::net::address::{AddressError, parse_listen};
use crate::net::endpoint::Endpoint;
use crate::net::listener::OWNER_ONLY;
use crate::node::Node;
use crate::registry::Id;

use super::time::milliseconds;
use super::{Shared, raw, slot, stream};

/// What the system is never asked about: the words of its own for a host that is no address.
const NO_HOST: &str = "getaddrinfo failed";

/// An address to connect to, or from; the same forms as for listening, though not without a host.
fn literal(text: &LuaString) -> std::result::Result<Endpoint, Option<AddressError>> {
    let text = text.to_string_lossy();
    if text.starts_with(':') {
        return Err(None);
    }
    parse_listen(&text).map_err(Some)
}

/// Whether a connection to one of them can come from the other.
fn is_of_family(remote: &Endpoint, local: SocketAddr) -> bool {
    matches!(remote, Endpoint::Net(remote) if remote.is_ipv4() == local.is_ipv4())
}

/// Adds the sub-table to the native table.
pub(super) fn register(lua: &Lua, core: &Table, node: &Shared) -> Result<()> {
    let tcp = lua.create_table()?;
    raw::register(lua, &tcp, node, &stream::FUNCTIONS)?;
    listening(lua, &tcp, node)?;
    connecting(lua, &tcp, node)?;
    streams(lua, &tcp, node)?;
    core.raw_set("tcp", tcp)
}

fn listening(lua: &Lua, tcp: &Table, node: &Shared) -> Result<()> {
    // listen(address, backlog, mode): id and bound address; or nil, message, and whether the form of the
    // address is wrong.
    let shared = Rc::clone(node);
    let listen = move |_: &Lua, (address, backlog, mode): (LuaString, u32, Option<u32>)| {
        let endpoint = match parse_listen(&address.to_string_lossy()) {
            Ok(endpoint) => endpoint,
            Err(error) if error.is_of_host() => return Ok((None, NO_HOST.to_owned(), false)),
            Err(error) => return Ok((None, error.to_string(), true)),
        };
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        Ok(match rooms.tcp.listen(reactor, &endpoint, backlog, mode.unwrap_or(OWNER_ONLY)) {
            Ok(listening) => (Some(listening.id.to_bits()), listening.local.to_string(), false),
            Err(why) => (None, why, false),
        })
    };
    tcp.raw_set("listen", lua.create_function(listen)?)?;

    // In a forked child nothing is closed, neither here nor below, since that would take the
    // parent's socket out of the poll set both share.
    let shared = Rc::clone(node);
    let close_listener = move |_: &Lua, listener: u64| {
        let mut node = shared.borrow_mut();
        if !node.reactor.is_forked() {
            node.rooms.tcp.close_listener(Id::from_bits(listener));
        }
        Ok(())
    };
    tcp.raw_set("close_listener", lua.create_function(close_listener)?)
}

fn connecting(lua: &Lua, tcp: &Table, node: &Shared) -> Result<()> {
    // connect(address, local address or nil, milliseconds): the slot to wait on and the attempt's
    // id; or nil, nil and why not.
    let shared = Rc::clone(node);
    let connect = move |_: &Lua, (address, local, ms): (LuaString, Option<LuaString>, f64)| {
        let failed = |why: String| Ok((None, None, Some(why)));
        let shown = address.to_string_lossy();
        let remote = match literal(&address) {
            Ok(remote) => remote,
            Err(Some(error)) if error.is_of_host() => return failed(NO_HOST.to_owned()),
            Err(_) => return failed(format!("invalid address:{shown}")),
        };
        let local = match local.map(|local| literal(&local).map_err(|_| local)) {
            None => None,
            Some(Ok(Endpoint::Net(local))) if is_of_family(&remote, local) => Some(local),
            Some(Ok(local)) => return failed(format!("invalid bind address:{local}")),
            Some(Err(local)) => {
                return failed(format!("invalid bind address:{}", local.to_string_lossy()));
            }
        };
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        match rooms.tcp.connect(reactor, remote, local, milliseconds(ms)) {
            Ok(attempt) => Ok((Some(slot(attempt)), Some(attempt.to_bits()), None)),
            Err(refusal) => failed(refusal.to_string()),
        }
    };
    tcp.raw_set("connect", lua.create_function(connect)?)?;

    // connected(attempt): the stream's id, or nil and why there is none.
    let shared = Rc::clone(node);
    let connected = move |_: &Lua, attempt: u64| {
        Ok(match shared.borrow_mut().rooms.tcp.connected(Id::from_bits(attempt)) {
            Ok(stream) => (Some(stream.to_bits()), None),
            Err(why) => (None, Some(why)),
        })
    };
    tcp.raw_set("connected", lua.create_function(connected)?)?;

    // abandon(slot): nobody waits for that attempt any more.
    let shared = Rc::clone(node);
    let abandon = move |_: &Lua, slot: u32| {
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        if !reactor.is_forked() {
            rooms.tcp.abandon_at(reactor, slot.wrapping_sub(1));
        }
        Ok(())
    };
    tcp.raw_set("abandon", lua.create_function(abandon)?)
}

fn streams(lua: &Lua, tcp: &Table, node: &Shared) -> Result<()> {
    // withdraw(slot): nobody waits on that stream any more.
    let shared = Rc::clone(node);
    let withdraw = move |_: &Lua, slot: u32| {
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        rooms.tcp.withdraw_at(reactor, slot.wrapping_sub(1));
        Ok(())
    };
    tcp.raw_set("withdraw", lua.create_function(withdraw)?)?;

    let shared = Rc::clone(node);
    let close = move |_: &Lua, stream: u64| {
        let mut node = shared.borrow_mut();
        let Node { rooms, reactor, .. } = &mut *node;
        if !reactor.is_forked() {
            rooms.tcp.close(reactor, Id::from_bits(stream));
        }
        Ok(())
    };
    tcp.raw_set("close", lua.create_function(close)?)?;

    let shared = Rc::clone(node);
    let open =
        move |_: &Lua, stream: u64| Ok(shared.borrow().rooms.tcp.is_open(Id::from_bits(stream)));
    tcp.raw_set("open", lua.create_function(open)?)?;

    // describe(stream): the other end's address, and its slot.
    let shared = Rc::clone(node);
    let describe = move |_: &Lua, stream: u64| {
        let stream = Id::from_bits(stream);
        let remote = shared.borrow().rooms.tcp.remote(stream);
        Ok((remote.map(|remote| remote.to_string()), slot(stream)))
    };
    tcp.raw_set("describe", lua.create_function(describe)?)?;

    let shared = Rc::clone(node);
    let unread =
        move |_: &Lua, stream: u64| Ok(shared.borrow().rooms.tcp.unread(Id::from_bits(stream)));
    tcp.raw_set("unread", lua.create_function(unread)?)?;

    let shared = Rc::clone(node);
    let unsent =
        move |_: &Lua, stream: u64| Ok(shared.borrow().rooms.tcp.unsent(Id::from_bits(stream)));
    tcp.raw_set("unsent", lua.create_function(unsent)?)?;

    // limit(stream, bytes or nil)
    let shared = Rc::clone(node);
    let limit = move |_: &Lua, (stream, bytes): (u64, Option<f64>)| {
        let bytes = bytes.map(|bytes| bytes as usize);
        shared.borrow_mut().rooms.tcp.set_limit(Id::from_bits(stream), bytes);
        Ok(())
    };
    tcp.raw_set("limit", lua.create_function(limit)?)
}
